"""The edge: protobuf to domain and back."""
