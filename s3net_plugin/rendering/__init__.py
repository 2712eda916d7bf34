"""A VIDIT-like relighting set of procedural scenes, path-traced with Mitsuba 3.

From the inside out: ``noise``, ``textures`` and ``materials`` (what surfaces look like), ``meshes``, then ``objects``,
``structures``, ``plants`` and ``furniture`` (things made of them), ``camera``, ``light`` (directions, colour
temperatures, exposure), ``stage`` (what a scene is), ``styles`` (what stands where: a module for each look of a set),
``scene`` (one random scene of a style), ``tracer`` (the only module that touches Mitsuba), ``folder`` (the files on
disk) and ``layouts`` (the other two folder layouts).
Everything but ``tracer`` is plain NumPy, and Mitsuba is imported only when something is rendered.
"""
