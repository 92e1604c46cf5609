"""MeshKin's own extractors, a module or a folder each; :mod:`meshkin.features.registry` finds them.

The weights of those that "auto" joins were measured on three TOSCA pairs of one man in three poses: mean geodesic
error x 100 of the nearest neighbor, mirrored answers accepted. Geometric alone 6.3; ViT block 8, 9, 10, 11 alone 37.8,
37.7, 37.5, 36.3; EfficientNet alone 37.5; all three with weights 1 25.4, with both networks at .5 11.4, with .3 and
.15 7.3. Pictures cannot beat the shape between poses of one body; between bodies they say what the shape does not.
Through the matcher, from the demo's woman to a dwarf and to an old man: with .25 and .15 6.3 and 1.6, with .5 and .3
5.7 and 1.6, with weights 1 3.7 and 3.2.
"""
