#!/bin/sh
# Install Sightline's package with what an image needs into /opt/sightline: install.sh server|lambda|train needs|package
set -eu
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PIP_FIND_LINKS=/wheels PIP_CONSTRAINT=/src/constraints.txt
# Where build/wheels was prepared, nothing else is asked, and the build needs no network.
if ls /wheels/*.whl >/dev/null 2>&1; then export PIP_NO_INDEX=1; fi
pip() { python3 -m pip --python /opt/sightline/bin/python install --quiet --no-cache-dir "$@"; }
if [ "$2" = needs ]; then
  python3 -m venv --without-pip /opt/sightline
  python3 deploy/docker/needs.py "$1" >/tmp/needs
  pip --requirement /tmp/needs
else
  pip --no-deps .
fi
