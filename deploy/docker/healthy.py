"""The image's HEALTHCHECK: whether the server says that every model has answered. python healthy.py PATH"""

import os
import sys
import urllib.request

try:
    address = f"http://127.0.0.1:{os.environ['PORT']}{sys.argv[1]}"
    with urllib.request.urlopen(address, timeout=2) as reply:
        sys.exit(reply.status != 200)
except OSError as error:
    sys.exit(f"not ready: {error}")
