"""Model packs: manifests, provenance, licence, building and verifying; ONNX Runtime sessions."""
