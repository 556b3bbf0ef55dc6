"""Amazon Rekognition's wire protocol: `POST /` with `X-Amz-Target: RekognitionService.<Operation>`."""
