"""Prints one training step as docs/design.md shows it: events, graph, rewritten graph, kernels."""

import flambeau as torch
from flambeau.graph.ir import format_graph
from flambeau.graph.passes.rewrite import rewrite
from flambeau.record import execute
from flambeau.record.reasons import describe_event

torch.manual_seed(0)
model = torch.nn.Linear(4, 3)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
inputs, labels = torch.randn(8, 4), torch.randint(0, 3, (8,))
for _ in range(4):
    optimizer.zero_grad()
    loss = torch.nn.functional.cross_entropy(torch.relu(model(inputs)), labels)
    loss.backward()
    optimizer.step()
    loss.item()

program = max(execute.programs, key=lambda known: known.runs)
print("# events")
for step in program.step.path()[1:]:
    made = ", ".join(map(repr, step.avals))
    print(f"{describe_event(step.key)} -> {made}")
print(f"\n# the graph has {len(format_graph(program.outputs).splitlines()) - 1} nodes; rewritten:")
print(format_graph(rewrite(list(program.outputs), None, None)))
print("\n# kernels")
for kernel in program.executable.kernels:
    print(kernel.label)
