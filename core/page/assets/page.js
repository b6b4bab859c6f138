// What the report can do beyond reading: sort and copy tables, slide through stages, read values off charts, open panels,
// and, while it is served, follow the run. It makes text with textContent alone and asks nobody but its own server.
"use strict";
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const make = (tag, properties = {}, ...children) => {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  };
  const svg = (tag, attributes) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    return element;
  };

  // Copies a text; where the browser does not let it, the text is shown and marked.
  const copy = async (text, place) => {
    let done = false;
    try {
      await navigator.clipboard.writeText(text);
      done = true;
    } catch { /* not allowed here */ }
    const area = place && (place.querySelector(".copied") || place.appendChild(make("textarea", { className: "copied", readOnly: true })));
    if (area) {
      area.setAttribute("aria-label", "copied text");
      area.value = text;
      area.select();
      if (!done) done = document.execCommand("copy");
    }
    flash(done ? "Copied" : "Marked below: copy it with the keyboard");
  };
  const flash = (text) => {
    all(".flash").forEach((old) => old.remove());
    const note = document.body.appendChild(make("div", { className: "flash", textContent: text }));
    note.setAttribute("role", "status");
    setTimeout(() => note.remove(), 1800);
  };

  // Tables: sort by a click on a head, copy in three forms.
  const cellText = (cell) => {
    if (cell.tagName === "TH" || !cell.dataset.v) return cell.textContent.trim();
    const [mean, spread] = [cell.querySelector("b"), cell.querySelector("small")];
    return [mean, spread].filter(Boolean).map((part) => part.textContent.trim()).join(" ");
  };
  const rowsOf = (table) => all("tr", table).map((row) => [...row.cells]);
  const markdown = (table) => {
    const escape = (text) => text.replace(/\\/g, "\\\\").replace(/\|/g, "\\|").replace(/\s+/g, " ");
    const lines = rowsOf(table).map((cells) => "| " + cells.map((cell) => {
      const text = escape(cellText(cell));
      return cell.classList.contains("best") ? `**${text}**` : text;
    }).join(" | ") + " |");
    const rule = [...table.rows[0].cells].map((cell) => (cell.classList.contains("n") ? "---:" : "---"));
    lines.splice(1, 0, "|" + rule.join("|") + "|");
    return lines.join("\n") + "\n";
  };
  const latex = (table) => {
    const special = { "\\": "\\textbackslash{}", "~": "\\textasciitilde{}", "^": "\\textasciicircum{}", "±": "$\\pm$", "−": "$-$", "–": "--" };
    const escape = (text) => text.replace(/[\\~^±−–]|[&%$#_{}]/g, (found) => special[found] || "\\" + found);
    const head = [...table.rows[0].cells].map((cell) => (cell.classList.contains("n") ? "r" : "l")).join("");
    const lines = rowsOf(table).map((cells) => "  " + cells.map((cell) => {
      const text = escape(cellText(cell));
      return cell.classList.contains("best") ? `\\textbf{${text}}` : text;
    }).join(" & ") + " \\\\");
    lines.splice(1, 0, "  \\midrule");
    return `\\begin{tabular}{${head}}\n  \\toprule\n${lines.join("\n")}\n  \\bottomrule\n\\end{tabular}\n`;
  };
  const csv = (table) => {
    const field = (text) => (/[",\r\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text);
    return rowsOf(table).map((cells, row) => cells.flatMap((cell) => {
      if (!cell.classList.contains("n")) return [field(cell.textContent.trim())];
      if (row === 0) return [field(cell.textContent.trim()), field(cell.textContent.trim() + " std")];
      return [field(cell.dataset.v || ""), field(cell.dataset.s || "")];
    }).join(",")).join("\n") + "\n";
  };
  const sort = (table, column, head) => {
    const falling = head.getAttribute("aria-sort") !== "descending";
    const value = (row) => {
      const cell = row.cells[column];
      return cell.classList.contains("n") ? parseFloat(cell.dataset.v ?? "NaN") : cell.textContent.trim();
    };
    const body = table.tBodies[0];
    const compare = (a, b) => {
      const [x, y] = [value(a), value(b)];
      if (typeof x === "string") return x.localeCompare(y, undefined, { numeric: true }) * (falling ? 1 : -1);
      if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y);
      return (y - x) * (falling ? 1 : -1);
    };
    body.append(...[...body.rows].sort(compare));
    all("th", table.tHead).forEach((other) => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", falling ? "descending" : "ascending");
  };
  const tables = (root) => all("figure.table", root).forEach((figure) => {
    const table = figure.querySelector("table");
    all("th", table.tHead).forEach((head, column) => {
      const button = make("button", { type: "button", title: "sort by this column" }, ...head.childNodes);
      button.addEventListener("click", () => sort(table, column, head));
      head.append(button);
    });
    const tools = make("div", { className: "tools" });
    for (const [name, form] of [["Markdown", markdown], ["LaTeX", latex], ["CSV", csv]]) {
      const button = make("button", { type: "button", className: "button", textContent: name, title: `copy as ${name}` });
      button.addEventListener("click", () => copy(form(table), figure));
      tools.append(button);
    }
    figure.querySelector("figcaption").append(tools);
  });

  // Images: one frame at a time, chosen by a slider for stages and one for iterations; the class under the pointer.
  const slides = (root) => all("figure.slides", root).forEach((figure) => {
    const frames = all(".frame", figure);
    const values = (name) => [...new Set(frames.map((frame) => Number(frame.dataset[name])))].sort((a, b) => a - b);
    const axes = [["stage", values("stage")], ["iterations", values("iterations")]].filter(([, found]) => found.length > 1);
    if (frames.length > 1 && axes.length) {
      const bar = make("div", { className: "slider" });
      const inputs = axes.map(([name, found]) => {
        const input = make("input", { type: "range", min: 0, max: found.length - 1, step: 1, value: name === "stage" ? 0 : found.length - 1 });
        bar.append(make("label", {}, name, input));
        return [name, found, input];
      });
      const output = make("output");
      bar.append(output);
      const show = () => {
        const wanted = inputs.map(([name, found, input]) => [name, found[input.value]]);
        const off = (frame) => wanted.reduce((sum, [name, value]) => sum + Math.abs(Number(frame.dataset[name]) - value), 0);
        const near = frames.reduce((best, frame) => (off(frame) < off(best) ? frame : best));
        frames.forEach((frame) => { frame.hidden = frame !== near; });
        output.textContent = near.querySelector(".frame-label")?.textContent ?? "";
        inputs.forEach(([, , input]) => input.setAttribute("aria-valuetext", output.textContent));
      };
      inputs.forEach(([, , input]) => input.addEventListener("input", show));
      figure.querySelector(".frames").before(bar);
      all(".frame-label", figure).forEach((label) => { label.hidden = true; });
      show();
    }
    const names = JSON.parse(figure.dataset.names || "[]");
    const under = figure.appendChild(make("p", { className: "under" }));
    all("svg[data-grid]", figure).forEach((grid) => {
      const [left, width, height] = grid.dataset.grid.split(" ").map(Number);
      grid.addEventListener("pointermove", (event) => {
        const box = grid.getBoundingClientRect();
        const column = Math.floor((event.clientX - box.left - left) / width);
        const row = Math.floor((event.clientY - box.top) / height);
        under.textContent = column >= 0 && names[row] !== undefined ? `${names[row]}, image ${column + 1}` : "";
      });
      grid.addEventListener("pointerleave", () => { under.textContent = ""; });
    });
  });

  // Charts: the values at the pointer, or at the place that the arrow keys move.
  const charts = (root) => all("svg.lines", root).forEach((chart) => {
    const [x0, x1, left, right] = chart.dataset.x.split(" ").map(Number);
    const [y0, y1, bottom, top] = chart.dataset.y.split(" ").map(Number);
    const log = chart.dataset.log === "1";
    const lines = all("path.line[data-name]", chart).map((path) => ({
      name: path.dataset.name,
      points: path.getAttribute("d").slice(1).split("L").map((pair) => pair.split(" ").map(Number)),
    }));
    const under = chart.parentElement.appendChild(make("p", { className: "under" }));
    const cross = chart.appendChild(svg("path", { class: "cross", d: "" }));
    const value = (y) => {
      const share = (y - bottom) / (top - bottom);
      const found = log ? y0 * (y1 / y0) ** share : y0 + (y1 - y0) * share;
      return Number(found.toPrecision(3)).toString();
    };
    const places = [...new Set(lines.flatMap((line) => line.points.map((point) => point[0])))].sort((a, b) => a - b);
    let at = -1;
    const show = (place) => {
      at = place;
      const x = places[at];
      if (x === undefined) return;
      cross.setAttribute("d", `M${x} ${top}V${bottom}`);
      const read = lines.map(({ name, points }) => {
        const near = points.reduce((best, point) => (Math.abs(point[0] - x) < Math.abs(best[0] - x) ? point : best));
        return Math.abs(near[0] - x) < 6 ? `${name} ${value(near[1])}` : null;
      });
      const where = Math.round(x0 + (x1 - x0) * (x - left) / (right - left));
      under.textContent = `${where}: ${read.filter(Boolean).join(", ")}`;
    };
    const hide = () => { cross.setAttribute("d", ""); under.textContent = ""; };
    chart.addEventListener("pointermove", (event) => {
      const box = chart.getBoundingClientRect();
      const x = (event.clientX - box.left) * chart.viewBox.baseVal.width / box.width;
      show(places.reduce((best, place, index) => (Math.abs(place - x) < Math.abs(places[best] - x) ? index : best), 0));
    });
    chart.addEventListener("pointerleave", hide);
    chart.addEventListener("blur", hide);
    chart.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!step) return;
      event.preventDefault();
      show(Math.min(Math.max(at + step, 0), places.length - 1));
    });
  });

  // Commands can be copied; a link to a panel opens it.
  const commands = (root) => all(".command", root).forEach((line) => {
    const button = make("button", { type: "button", className: "button", textContent: "Copy" });
    button.addEventListener("click", () => copy(line.querySelector("code").textContent));
    line.append(button);
  });
  const open = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    for (let element = target; element; element = element.parentElement) {
      if (element.tagName === "DETAILS") element.open = true;
    }
    target?.scrollIntoView();
  };
  const enhance = (root) => [tables, slides, charts, commands].forEach((part) => part(root));
  enhance(document);
  addEventListener("hashchange", open);
  if (location.hash) open();

  // A page that is served takes over what is new and keeps what the reader opened, chose and sorted.
  if (document.body.dataset.live === undefined) return;
  const state = () => ({
    open: all("details[id][open]").map((element) => element.id),
    chosen: all(".slider input").map((input) => input.value),
  });
  let waiting = false;
  const refresh = async () => {
    if (waiting) return;
    waiting = true;
    try {
      const text = await (await fetch("/")).text();
      const fresh = new DOMParser().parseFromString(text, "text/html").querySelector("main");
      const before = state();
      document.querySelector("main").replaceWith(document.adoptNode(fresh));
      enhance(fresh);
      before.open.forEach((id) => { const element = document.getElementById(id); if (element) element.open = true; });
      all(".slider input").forEach((input, index) => {
        if (before.chosen[index] === undefined) return;
        input.value = before.chosen[index];
        input.dispatchEvent(new Event("input"));
      });
    } finally {
      waiting = false;
    }
  };
  new EventSource("/events").addEventListener("change", refresh);
})();
