"""A VIDIT-like relighting set of procedural scenes, path-traced with Mitsuba 3.

From the inside out: ``noise`` and ``textures`` (what surfaces look like), ``meshes``, ``objects`` and ``camera`` (what
stands where), ``scene`` (one random scene), ``light`` (directions, colour temperatures, exposure), ``tracer`` (the
only module that touches Mitsuba), ``folder`` (the files on disk) and ``layouts`` (the other two folder layouts).
Everything but ``tracer`` is plain NumPy, and Mitsuba is imported only when something is rendered.
"""
