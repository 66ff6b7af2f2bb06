"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const byId = id => document.getElementById(id);
const KINDS = [
  ["product", "product or convolution"], ["back-product", "its gradient"],
  ["fused", "fused element-wise, reduction"], ["pool", "pooling"],
  ["update", "optimizer"], ["copy", "packing, copying"],
];

// ---- formatting --------------------------------------------------------------------------------
function digits(x) {
  return x >= 99.95 || Number.isInteger(x) ? x.toFixed(0) : x.toFixed(x >= 9.995 ? 1 : 2);
}
function time(us) {
  return us >= 1e6 ? digits(us / 1e6) + " s" : us >= 1e3 ? digits(us / 1e3) + " ms"
    : digits(us) + " µs";
}
function amount(x, unit = "B") {
  for (const [prefix, size] of [["T", 1e12], ["G", 1e9], ["M", 1e6], ["k", 1e3]])
    if (x >= size) return digits(x / size) + " " + prefix + unit;
  return digits(x) + " " + unit;
}
function percent(part, whole) {
  if (!whole) return "–";
  const p = 100 * part / whole;
  return (p >= 9.95 || p === 0 ? p.toFixed(0) : p.toFixed(1)) + " %";
}
function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "class") node.className = value;
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}
const where = line => line.file ? `${line.file}:${line.line}` : "(added by the compiler)";
const calls = list => list.map(c => c[0]).join(", ");
const colour = name => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
const rate = (amountOf, us) => us ? amountOf / us / 1e3 : 0;         // per µs to giga per second

// ---- the head ----------------------------------------------------------------------------------
const step = data.step, peaks = data.peaks;
byId("title").textContent = data.title;
byId("subtitle").textContent = `${step.steps} steps measured on ${peaks.threads} threads of `
  + `${data.processor}, ${data.created}`;
function tile(value, text) {
  byId("tiles").append(make("div", {class: "tile"}, make("b", {}, value), make("span", {}, text)));
}
tile(time(step.us), "a step");
tile(time(step.kernelUs), "in " + data.kernels.length + " kernels");
tile(amount(step.flops / step.us * 1e6, "FLOP/s"),
  `${percent(step.flops / step.us * 1e6, peaks.flops)} of ${amount(peaks.flops, "FLOP/s")}`);
tile(amount(step.bytes / step.us * 1e6, "B/s"),
  `${percent(step.bytes / step.us * 1e6, peaks.bytes)} of a copy's ${amount(peaks.bytes, "B/s")}`);
tile(percent(step.limitUs, step.us), "at the machine's limits");
const largest = Math.max(0, ...data.programs.map(p => p.memory ? p.memory.arena : 0));
tile(amount(largest), "arena planned");
const parts = [
  ["kernels", step.kernelUs, "product"],
  ["between kernels, in native calls", Math.max(0, step.nativeUs - step.kernelUs), "fused"],
  ["Python and elsewhere", Math.max(0, step.us - step.nativeUs), "python"],
];
for (const [name, us, kind] of parts) {
  const style = `background: var(--${kind})`;
  byId("split").append(make("div", {style: `${style}; flex: ${us} 0 0`, title: name}));
  byId("split-legend").append(make("span", {}, make("i", {style}),
    `${name}: ${time(us)}, ${percent(us, step.us)}`));
}

// ---- tables ------------------------------------------------------------------------------------
// columns: [title, value to sort by, cell: text or node, class]
function table(id, columns, rows, start, more) {
  const root = byId(id), head = make("tr"), body = make("tbody");
  let sorted = start, down = true;
  columns.forEach((column, i) => {
    const sort = () => {
      down = sorted === i ? !down : column[3] === "number" || column[3] === "number bar";
      sorted = i;
      draw();
    };
    head.append(make("th", {class: column[3] || "", scope: "col", tabindex: 0, onclick: sort,
      onkeydown: e => { if (e.key === "Enter" || e.key === " ") { e.preventDefault(); sort(); } }},
      column[0]));
  });
  let shown = rows;
  function draw() {
    [...head.children].forEach((th, i) => {
      if (i === sorted) th.setAttribute("aria-sort", down ? "descending" : "ascending");
      else th.removeAttribute("aria-sort");
    });
    const key = columns[sorted][1], sign = down ? -1 : 1;
    const order = [...shown].sort((a, b) => {
      const x = key(a), y = key(b);
      return sign * (typeof x === "number" ? x - y : String(x).localeCompare(String(y)));
    });
    body.replaceChildren(...order.map(row => {
      const tr = make("tr", {class: more ? "row" : ""});
      for (const column of columns) {
        const found = column[2](row);
        tr.append(make("td", {class: column[3] || ""}, ...(Array.isArray(found) ? found : [found])));
      }
      if (more) {
        tr.tabIndex = 0;
        const open = () => {
          if (tr.nextSibling && tr.nextSibling.className === "more") tr.nextSibling.remove();
          else tr.after(make("tr", {class: "more"},
            make("td", {colspan: columns.length}, more(row))));
        };
        tr.addEventListener("click", open);
        tr.addEventListener("keydown", e => { if (e.key === "Enter") open(); });
      }
      row.element = tr;
      return tr;
    }));
  }
  root.append(make("thead", {}, head), body);
  draw();
  return rows => { shown = rows; draw(); };
}
function bar(part, whole, text) {
  return [make("i", {style: `width: ${Math.max(0, Math.min(100, 100 * part / (whole || 1)))}%`}),
    make("span", {}, text)];
}
const lineText = k => k.lines.map(i => where(data.lines[i])).join(", ");
const slowest = Math.max(...data.kernels.map(k => k.stepUs), 0);
const showKernels = table("kernels", [
  ["#", k => k.program * 1e5 + k.index, k => data.programs.length > 1
    ? `${data.programs[k.program].number}.${k.index}` : String(k.index), "number"],
  ["Time", k => k.us, k => time(k.us), "number"],
  ["Of the step", k => k.stepUs, k => bar(k.stepUs, slowest, percent(k.stepUs, step.us)),
    "number bar"],
  ["GFLOP/s", k => rate(k.flops, k.us), k => rate(k.flops, k.us).toFixed(1), "number"],
  ["GB/s", k => rate(k.bytes, k.us), k => rate(k.bytes, k.us).toFixed(1), "number"],
  ["Limit", k => k.us ? k.limitUs / k.us : 0, k => k.bound
    ? make("span", {class: k.limitUs < 0.3 * k.us && k.stepUs > 0.03 * step.us ? "weak" : ""},
      `${percent(k.limitUs, k.us)} ${k.bound[0]}`) : "–", "number"],
  ["Threads", k => k.threads, k => k.threads.toFixed(2), "number"],
  ["Calls fused", k => calls(k.calls), k => calls(k.calls), "text"],
  ["Kernel", k => k.label, k => make("code", {}, k.label), "text"],
  ["Lines", k => lineText(k), k => lineText(k), "text"],
], data.kernels, 2, k => {
  const grid = make("div", {class: "grid"});
  for (const [name, fraction, line] of k.shares)
    grid.append(make("span", {}, percent(fraction, 1)), make("span", {}, name),
      make("span", {class: "mono soft"}, line < 0 ? "" : where(data.lines[line]) + "  "
        + data.lines[line].text));
  return make("div", {}, make("p", {}, `${amount(k.flops, "FLOP")}, ${amount(k.bytes)} moved, `
    + `fastest ${time(k.fastUs)}, median ${time(k.us)}; ${k.runs} a step`), grid);
});
byId("filter").addEventListener("input", e => {
  const words = e.target.value.toLowerCase().split(/\s+/).filter(Boolean);
  const found = data.kernels.filter(k => {
    const text = `${calls(k.calls)} ${k.label} ${lineText(k)}`.toLowerCase();
    return words.every(w => text.includes(w));
  });
  showKernels(found);
  count(found);
});
function count(rows) {
  const total = rows.reduce((sum, k) => sum + k.stepUs, 0);
  byId("count").textContent = `${rows.length} kernels, ${time(total)}, `
    + `${percent(total, step.us)} of the step`;
}
count(data.kernels);
const longest = Math.max(...data.lines.map(l => l.us), 0);
table("lines", [
  ["Time", l => l.us, l => time(l.us), "number"],
  ["Of the step", l => l.us, l => bar(l.us, longest, percent(l.us, step.us)), "number bar"],
  ["GFLOP", l => l.flops, l => (l.flops / 1e9).toFixed(3), "number"],
  ["Line", l => where(l), l => make("code", {}, where(l))],
  ["Source", l => l.text, l => make("code", {}, l.text), "text"],
  ["Calls", l => calls(l.calls), l => l.calls.map(c => `${c[0]} ${percent(c[1], l.us)}`).join(", "),
    "text"],
], data.lines, 0);
table("programs", [
  ["Program", p => p.number, p => String(p.number), "number"],
  ["Runs", p => p.runs, p => String(p.runs), "number"],
  ["Each", p => p.us, p => time(p.us), "number"],
  ["Calls", p => p.operations, p => String(p.operations), "number"],
  ["Kernels", p => p.kernels, p => String(p.kernels), "number"],
  ["Compiled in", p => p.compileUs, p => p.kernels ? time(p.compileUs) : "interpreted", "number"],
  ["New kernels", p => p.compiled, p => `${p.compiled} (${p.cached} from the cache)`, "number"],
  ["Inputs", p => p.memory ? p.memory.inputs : 0, p => p.memory ? amount(p.memory.inputs) : "–",
    "number"],
  ["New outputs", p => p.memory ? p.memory.outputs : 0,
    p => p.memory ? amount(p.memory.outputs) : "–", "number"],
  ["Arena", p => p.memory ? p.memory.arena : 0, p => p.memory ? amount(p.memory.arena) : "–",
    "number"],
  ["Why it is a program of its own", p => p.reason, p => p.reason, "text"],
], data.programs, 2);
for (const program of data.programs) {
  const memory = program.memory;
  if (!memory || !memory.blocks.length) continue;
  byId("memory").append(make("p", {}, `Program ${program.number}: ${amount(memory.peak)} in use of `
    + `${amount(memory.arena)} planned, while kernel ${memory.peakKernel} runs; beside it `
    + `${amount(memory.inputs)} of inputs and ${amount(memory.outputs)} of new outputs.`));
  const id = "memory-" + program.number;
  byId("memory").append(make("div", {class: "wide"}, make("table", {id})));
  table(id, [
    ["Bytes", b => b.bytes, b => bar(b.bytes, memory.blocks[0].bytes, amount(b.bytes)),
      "number bar"],
    ["Value", b => b.call, b => b.call], ["Type", b => b.type, b => make("code", {}, b.type)],
    ["Line", b => b.line, b => make("code", {}, b.line)],
  ], memory.blocks, 0);
}
byId("footer").textContent = `Written by flambeau.explain, version ${data.version}.`;

// ---- the timeline ------------------------------------------------------------------------------
const canvas = byId("timeline"), pen = canvas.getContext("2d");
const LEFT = 96, LANE = 30, GAP = 8, CHART = 130, AXIS = 22;
const lanes = ["programs"];
for (let i = 0; i < data.timeline.threads; i++) lanes.push("thread " + i);
const chartTop = 6 + lanes.length * (LANE + GAP) + 6;
const height = chartTop + CHART + AXIS;
const end = data.timeline.us;
let view = [0, end], boxes = [], lit = null;
const memoryTop = 1.08 * Math.max(1, ...data.programs.map(p => p.memory
  ? p.memory.inputs + p.memory.outputs + p.memory.peak : 0));
function draw() {
  const scale = window.devicePixelRatio || 1, width = canvas.clientWidth;
  canvas.width = width * scale;
  canvas.height = height * scale;
  canvas.style.height = height + "px";
  pen.setTransform(scale, 0, 0, scale, 0, 0);
  pen.clearRect(0, 0, width, height);
  pen.font = "12px system-ui, sans-serif";
  pen.textBaseline = "middle";
  const x = us => LEFT + (us - view[0]) / (view[1] - view[0]) * (width - LEFT);
  const tint = {};
  for (const name of ["text", "soft", "line", "python", "memory", "memory-base", "warn", "accent",
    ...KINDS.map(k => k[0])]) tint[name] = colour(name);
  boxes = [];
  grid(x, width, tint);
  lanes.forEach((name, i) => {
    pen.fillStyle = tint.soft;
    pen.fillText(name, 2, 6 + i * (LANE + GAP) + LANE / 2);
  });
  pen.fillText("memory", 2, chartTop + 30);
  pen.save();
  pen.beginPath();
  pen.rect(LEFT, 0, width - LEFT, height);
  pen.clip();
  for (const run of data.timeline.runs) {
    const program = data.programs[run.program];
    box(x, 0, run.begin, run.end, run.compiled ? tint.warn : tint.python,
      `program ${program.number}`, {run, program}, tint.text);
    run.kernels.forEach((times, i) => {
      const kernel = data.kernels[program.first + i];
      if (!kernel) return;
      const fill = tint[kernel.kind];
      const own = times.length > 2 ? times[2] : [[times[0], times[1], 0]];
      own.forEach((share, thread) => {
        if (share) box(x, 1 + thread, share[0], share[1], fill, calls(kernel.calls),
          {kernel, times, share, thread}, "#fff");
      });
    });
    chart(x, run, program, tint);
  }
  pen.restore();
}
function box(x, lane, begin, finish, fill, text, about, ink) {
  const left = Math.max(x(begin), LEFT - 2), right = Math.min(x(finish), canvas.clientWidth + 2);
  if (right < LEFT || left > canvas.clientWidth) return;
  const top = 6 + lane * (LANE + GAP), wide = Math.max(right - left, 0.6);
  pen.fillStyle = fill;
  pen.fillRect(left, top, wide > 3 ? wide - 0.7 : wide, LANE);
  if (lit && about.kernel === lit) {
    pen.strokeStyle = colour("text");
    pen.lineWidth = 2;
    pen.strokeRect(left + 1, top + 1, Math.max(wide - 2, 1), LANE - 2);
  }
  if (wide > 34) {
    pen.save();
    pen.beginPath();
    pen.rect(left, top, wide - 4, LANE);
    pen.clip();
    pen.fillStyle = ink;
    pen.fillText(text, left + 5, top + LANE / 2);
    pen.restore();
  }
  boxes.push([left, top, left + wide, top + LANE, about]);
}
function grid(x, width, tint) {
  const span = view[1] - view[0], rough = span / 8;
  const power = 10 ** Math.floor(Math.log10(rough));
  const unit = [1, 2, 5, 10].map(f => f * power).find(u => u >= rough);
  pen.strokeStyle = tint.line;
  pen.lineWidth = 1;
  pen.fillStyle = tint.soft;
  pen.textAlign = "center";
  for (let us = Math.ceil(view[0] / unit) * unit; us <= view[1]; us += unit) {
    const at = Math.round(x(us)) + 0.5;
    pen.beginPath();
    pen.moveTo(at, 0);
    pen.lineTo(at, chartTop + CHART);
    pen.stroke();
    if (at > LEFT + 8 && at < width - 26) pen.fillText(us ? time(us) : "0", at, height - AXIS / 2);
  }
  pen.textAlign = "left";
  for (const part of [0, 0.5, 1]) {
    const y = chartTop + CHART * (1 - part) + (part === 1 ? 8 : part ? 0 : -6);
    const text = amount(memoryTop * part);
    pen.fillText(text, LEFT - 8 - pen.measureText(text).width, y);
  }
}
function chart(x, run, program, tint) {
  const memory = program.memory;
  if (!memory || !run.kernels.length) return;
  const y = bytes => chartTop + CHART * (1 - bytes / memoryTop);
  const base = memory.inputs + memory.outputs;
  pen.fillStyle = tint["memory-base"];
  pen.fillRect(x(run.begin), y(base), x(run.end) - x(run.begin), y(0) - y(base));
  pen.fillStyle = tint.memory;
  run.kernels.forEach((times, i) => {
    const finish = i + 1 < run.kernels.length ? run.kernels[i + 1][0] : times[1];
    const top = y(base + memory.use[i]), left = x(times[0]), right = x(finish);
    pen.fillRect(left, top, Math.max(right - left, 0.6), y(base) - top);
    boxes.push([left, chartTop, right, chartTop + CHART, {bytes: memory.use[i], program,
      kernel: data.kernels[program.first + i], index: i}]);
  });
  const peak = run.kernels[memory.peakKernel];
  if (!peak) return;
  pen.fillStyle = tint.warn;
  const middle = (x(peak[0]) + x(peak[1])) / 2, top = y(base + memory.peak);
  pen.beginPath();
  pen.arc(middle, top, 3.5, 0, 7);
  pen.fill();
  const text = "peak " + amount(base + memory.peak), width = pen.measureText(text).width;
  const right = middle + 8 + width < canvas.clientWidth;
  pen.fillText(text, right ? middle + 8 : middle - 8 - width, Math.max(top, chartTop + 8));
}
function zoom(factor, centre = (view[0] + view[1]) / 2) {
  const span = Math.min(end, Math.max(end / 5000, (view[1] - view[0]) * factor));
  const part = (centre - view[0]) / (view[1] - view[0]);
  move(centre - part * span, span);
}
function move(begin, span = view[1] - view[0]) {
  begin = Math.max(0, Math.min(end - span, begin));
  view = [begin, begin + span];
  requestAnimationFrame(draw);
}
const usAt = e => view[0] + (e.offsetX - LEFT) / (canvas.clientWidth - LEFT) * (view[1] - view[0]);
canvas.addEventListener("wheel", e => {
  if (!e.ctrlKey && !e.metaKey && !e.shiftKey) return;
  e.preventDefault();
  zoom(e.deltaY + e.deltaX > 0 ? 1.25 : 0.8, usAt(e));
}, {passive: false});
canvas.addEventListener("dblclick", e => zoom(0.4, usAt(e)));
byId("zoom-in").addEventListener("click", () => zoom(0.5));
byId("zoom-out").addEventListener("click", () => zoom(2));
byId("zoom-all").addEventListener("click", () => move(0, end));
let held = null;
canvas.addEventListener("pointerdown", e => { held = {x: e.clientX, begin: view[0], moved: false}; });
window.addEventListener("pointerup", () => { setTimeout(() => { held = null; }); });
canvas.addEventListener("pointermove", e => {
  if (held && Math.abs(e.clientX - held.x) > 3) {
    held.moved = true;
    move(held.begin - (e.clientX - held.x) / (canvas.clientWidth - LEFT) * (view[1] - view[0]));
    hide();
    return;
  }
  const about = hit(e);
  if (about) show(e, about);
  else hide();
});
canvas.addEventListener("pointerleave", hide);
canvas.addEventListener("click", e => {
  const about = hit(e);
  if (!about || !about.kernel || (held && held.moved)) return;
  byId("filter").value = "";
  showKernels(data.kernels);
  count(data.kernels);
  for (const row of document.querySelectorAll("tr.lit")) row.classList.remove("lit");
  about.kernel.element.classList.add("lit");
  about.kernel.element.scrollIntoView({block: "center", behavior: "smooth"});
  lit = about.kernel;
  draw();
});
function hit(e) {
  for (let i = boxes.length - 1; i >= 0; i--) {
    const [left, top, right, bottom, about] = boxes[i];
    if (e.offsetX >= left - 1 && e.offsetX <= right + 1 && e.offsetY >= top && e.offsetY <= bottom)
      return about;
  }
  return null;
}
function show(e, about) {
  const tip = byId("tip"), say = (...lines) => tip.replaceChildren(make("b", {}, lines[0]),
    ...lines.slice(1).filter(Boolean).map(text => make("div", {}, text)));
  const kernel = about.kernel;
  if (about.run) {
    const p = about.program;
    say(`program ${p.number}`, `${time(about.run.end - about.run.begin)} in this step, `
      + `${p.operations} calls in ${p.kernels || "no"} kernels`,
    about.run.compiled ? `compiled in this run: ${p.reason}` : "");
  } else if (about.share) {
    const share = about.share;
    say(calls(kernel.calls), kernel.label,
      `kernel ${kernel.index}: ${time(about.times[1] - about.times[0])} here, median `
      + `${time(kernel.us)}`,
      `${rate(kernel.flops, kernel.us).toFixed(1)} GFLOP/s, `
      + `${rate(kernel.bytes, kernel.us).toFixed(1)} GB/s, ${percent(kernel.limitUs, kernel.us)} `
      + `of the limit (${kernel.bound || "none"})`,
      share[2] ? `thread ${about.thread}: ${share[2]} chunks in ${time(share[1] - share[0])}`
        : "not shared out: one thread", lineText(kernel));
  } else {
    say(`${amount(about.bytes)} of the arena in use`,
      `${amount(about.program.memory.inputs)} of inputs, `
      + `${amount(about.program.memory.outputs)} of new outputs`,
      `during kernel ${about.index}: ${kernel ? calls(kernel.calls) : ""}`);
  }
  tip.style.display = "block";
  const width = tip.offsetWidth, tall = tip.offsetHeight;
  tip.style.left = Math.max(4, Math.min(e.clientX + 14, window.innerWidth - width - 10)) + "px";
  tip.style.top = Math.max(4, e.clientY + 18 + tall > window.innerHeight ? e.clientY - tall - 10
    : e.clientY + 18) + "px";
}
function hide() { byId("tip").style.display = "none"; }
for (const [kind, text] of KINDS)
  if (data.kernels.some(k => k.kind === kind))
    byId("kinds").append(make("span", {}, make("i", {style: `background: var(--${kind})`}), text));
byId("kinds").append(
  make("span", {}, make("i", {style: "background: var(--memory-base)"}), "inputs and outputs"),
  make("span", {}, make("i", {style: "background: var(--memory)"}), "arena in use"));
window.addEventListener("resize", draw);
window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
draw();
