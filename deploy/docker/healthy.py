"""The image's HEALTHCHECK: whether the server says that every model has answered. python healthy.py PATH"""

import os
import sys
import urllib.request

try:
    port = os.environ.get("SAGEMAKER_BIND_TO_PORT") or os.environ["PORT"]
    address = f"http://127.0.0.1:{port}{sys.argv[1]}"
    with urllib.request.urlopen(address, timeout=2) as reply:
        sys.exit(reply.status != 200)
except OSError as error:
    sys.exit(f"not ready: {error}")
