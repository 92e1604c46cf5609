"""Models: which MeshKin knows, where they lie, how they are fetched, and whether they are whole.

A model is a folder under :func:`meshkin.base.storage.models_folder` with ``model.safetensors``, ``config.json`` and
``meshkin-model.json`` (name, kind, license, source, checksum). What ``diffusers`` reads keeps its layout: a ControlNet
has ``diffusion_pytorch_model.safetensors``, Stable Diffusion has a folder for each part. Weights are read from
safetensors only; the one pickled file that a package carries is checked against its pinned SHA-256 and loaded as plain
tensors, once, to be converted.
"""
