#!/bin/sh
# Remove what no picture is answered with: trim.sh server|lambda|train
set -eu
cd "$(echo /opt/sightline/lib/python3*/site-packages)"
# Tests of libraries, type stubs, headers.
find . -type d \( -name tests -o -name test -o -name testing_data \) -path '*/numpy/*' -prune -exec rm -rf {} +
find . -type d \( -name tests -o -name test \) \( -path './onnx/*' -o -path './onnxruntime/*' -o -path './google/*' \) -prune -exec rm -rf {} +
find . -name '*.pyi' -delete
rm -rf numpy/f2py numpy/_core/include onnx/backend/test
# LiteRT's compilers for other processors and its GPU; ONNX Runtime's library for C programs and its converters.
rm -rf ai_edge_litert/vendors ai_edge_litert/tools ai_edge_litert/libLiteRtWebGpuAccelerator.so
rm -rf onnxruntime/transformers onnxruntime/quantization onnxruntime/datasets onnxruntime/tools
rm -f onnxruntime/capi/libonnxruntime.so.*
# Of OpenCV's cascades the one that a card names.
find cv2/data -name '*.xml' ! -name haarcascade_frontalface_default.xml -delete
# Of the services that AWS's client describes those that are called or spoken: S3, Rekognition, and who may.
find botocore/data -mindepth 1 -maxdepth 1 -type d \
  ! -name s3 ! -name rekognition ! -name sts ! -name sso ! -name sso-oidc -exec rm -rf {} +
if [ "$1" = lambda ]; then
  # Number types of GPUs, which LiteRT asks for only where its buffers live there.
  rm -rf ml_dtypes
  # The page and the gallery of backgrounds belong to the server.
  rm -rf sightline/web
fi
