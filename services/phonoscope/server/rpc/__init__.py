"""The RPC layer: protobuf to domain types and back."""
