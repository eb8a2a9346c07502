"""What two services share: the error tree, the gRPC server kit, health, settings, logs, the voice hub."""
