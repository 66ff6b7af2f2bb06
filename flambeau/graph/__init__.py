"""The intermediate representation: nodes, primitives, differentiation and the passes."""
