"""The boundary to the speech server: base.py is the interface, grpc.py the real backend, fake.py the one for tests."""
