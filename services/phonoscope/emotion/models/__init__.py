"""The models: each turns sentences into estimates. `base.py` is their interface, `loading.py` selects one."""
