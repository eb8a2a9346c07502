"""The inference service.

A request passes ① __main__ ② servicer ③ synthesizer ④ text ⑤ scheduler ⑥ engines ⑦ engines/vits ⑧ audio.
"""
