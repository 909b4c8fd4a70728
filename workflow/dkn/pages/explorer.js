"use strict";
// Draws and replays the page's data, in which everything is computed already (docs/explorer.md).
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const { colours, symbols, grey } = data.look;
  const GLYPHS = {
    circle: "●", square: "■", "triangle-up": "▲", diamond: "◆", "triangle-down": "▼", cross: "✚",
    "circle-open": "○", x: "✖",
  };
  const ALONE = { colour: grey, symbol: "circle-open" };
  const FAILED = { colour: grey, symbol: "x" };
  const KEYS = 8; // components that the key names; the rest are counted
  const REASONS = {
    short: "not tested: too little persistence or too few neurons",
    nested: "not tested: those that contain it, or lie in it, persist more",
  };
  const SHORT_EDGES = data.settings.clustering === "short-edges"; // the released code's clustering
  const CONFIG = { displayModeBar: false, responsive: true };
  const state = { fact: null, step: 0, mode: "tested" };

  // --- elements -----------------------------------------------------------------------------------------------------
  const at = (id) => document.getElementById(id);
  const shown = (value) => (value === null ? "–" : String(Number(value.toPrecision(4))).replace("-", "−"));
  const counted = (count) => count.toLocaleString("en");
  const plural = (count, noun) => `${counted(count)} ${noun}${count === 1 ? "" : "s"}`;

  function element(tag, text, attributes = {}) {
    const made = document.createElement(tag);
    made.textContent = text;
    Object.entries(attributes).forEach(([name, value]) => made.setAttribute(name, value));
    return made;
  }

  function marked(look, text) {
    const glyph = element("span", GLYPHS[look.symbol], { class: "mark", "aria-hidden": "true" });
    glyph.style.color = look.colour;
    const made = element("span", "");
    made.append(glyph, ` ${text}`);
    return made;
  }

  function fillList(list, pairs) {
    list.replaceChildren(...pairs.flatMap(([term, text]) => [element("dt", term), element("dd", text)]));
  }

  function fillTable(table, rows) {
    const labels = [...table.tHead.rows[0].cells].map((cell) => cell.textContent);
    table.tBodies[0].replaceChildren(...rows.map((cells) => {
      const row = element("tr", "");
      cells.forEach((content, column) => {
        const cell = column ? element("td", "", { "data-label": labels[column] }) : element("th", "", { scope: "row" });
        cell.append(content);
        row.append(cell);
      });
      return row;
    }));
  }

  // --- looks: a component keeps its colour and shape in every part of the page --------------------------------------
  const slotLook = (slot) => ({
    colour: colours[slot % colours.length],
    symbol: symbols[(slot + Math.floor(slot / colours.length)) % symbols.length],
  });
  const componentLook = (fact, place) =>
    fact.components[place].kept ? slotLook(fact.filtration.slots[fact.filtration.components[place]]) : FAILED;

  // --- groups of neurons --------------------------------------------------------------------------------------------
  // Replays the merges up to a step; node n + m is the m-th merge of n neurons.
  function groupsAt(fact, step) {
    const points = fact.neurons.layer.length;
    const members = fact.neurons.layer.map((_, place) => [place]);
    const top = new Set(members.keys());
    for (const [left, right, when] of fact.filtration?.merges ?? []) {
      if (when > step) break;
      top.delete(left);
      top.delete(right);
      top.add(members.length);
      members.push([...members[left], ...members[right]]);
    }
    return [...top].map((node) => ({ merge: node - points, places: members[node] }));
  }

  function radiusGroups(fact, step) {
    const all = groupsAt(fact, step);
    const named = new Map(fact.components.map((part, place) =>
      [fact.filtration.components[place], part.kept ? part.name : "component"]));
    const groups = all.filter((group) => group.places.length > 1)
      .sort((one, other) => other.places.length - one.places.length)
      .map(({ merge, places }) => ({
        name: named.get(merge) ?? "component", places, ...slotLook(fact.filtration.slots[merge]),
      }));
    const alone = all.filter((group) => group.places.length === 1).flatMap((group) => group.places);
    return { count: all.length, groups: [...groups, { name: "alone", places: alone, ...ALONE }] };
  }

  function testedGroups(fact) {
    const groups = fact.components.map((part, place) =>
      ({ name: part.name, places: part.places, ...componentLook(fact, place) }));
    const inside = new Set(groups.flatMap((group) => group.places));
    const rest = fact.neurons.layer.map((_, place) => place).filter((place) => !inside.has(place));
    return [...groups, { name: "in no tested component", places: rest, ...ALONE }];
  }

  // --- plots --------------------------------------------------------------------------------------------------------
  function draw(id, label, traces, layout) {
    at(id).setAttribute("aria-label", label);
    const base = {
      showlegend: false, hovermode: "closest", dragmode: false, font: { size: 13, color: "#1b1b1b" },
      paper_bgcolor: "white", plot_bgcolor: "white", autosize: true,
    };
    // Not react: it leaves out the labels of a bar whose predecessor, in the fact shown before, had none.
    Plotly.newPlot(id, traces, { ...base, ...layout }, CONFIG);
  }

  function drawNeurons() {
    const { fact } = state;
    const { layer, neuron, score, share, across } = fact.neurons;
    const groups = (state.mode === "tested" ? testedGroups(fact) : radiusGroups(fact, state.step).groups)
      .filter((group) => group.places.length);
    const traces = groups.map(({ name, places, colour, symbol }) => ({
      type: "scatter", mode: "markers", name,
      x: places.map((place) => across[place]), y: places.map((place) => share[place]),
      text: places.map((place) =>
        `${name}<br>layer ${layer[place]}, neuron ${neuron[place]}<br>score ${shown(score[place])}`),
      hoverinfo: "text",
      marker: { color: colour, symbol, size: symbol === ALONE.symbol ? 7 : 10 },
    }));
    const sizes = groups.slice(0, KEYS).map((group) => `${group.name}: ${group.places.length}`).join(", ");
    draw("neurons", `${plural(layer.length, "knowledge neuron")} by layer and score: ${sizes}`, traces, {
      height: 360, margin: { l: 48, r: 8, t: 8, b: 44 },
      xaxis: {
        title: { text: "layer" }, range: [-0.6, data.layers - 0.4], zeroline: false, showgrid: false,
        dtick: Math.max(1, Math.ceil(data.layers / 12)),
      },
      yaxis: { title: { text: "score" }, range: [0, 1.06], zeroline: true },
    });
    const named = groups.length > KEYS ? groups.slice(0, KEYS - 1) : groups;
    const keys = named.map((group) => element("li", "")).map((item, place) => {
      item.append(marked(named[place], `${named[place].name}: ${plural(named[place].places.length, "neuron")}`));
      return item;
    });
    if (named.length < groups.length) keys.push(element("li", `and ${groups.length - named.length} more groups`));
    at("key").replaceChildren(...keys);
  }

  // The radius and NTC's limit, as lines over the barcode.
  function barcodeShapes(fact) {
    const { limit, radii } = fact.filtration;
    const radius = state.step ? radii[state.step - 1] : 0;
    const [low, high] = barcodeRange(fact);
    const onAxis = Math.min(Math.max(radius, low), high);
    const line = (x, style) => ({ type: "line", x0: x, x1: x, y0: 0, y1: 1, yref: "paper", line: style });
    return {
      shapes: [
        {
          type: "rect", x0: limit, x1: high, y0: 0, y1: 1, yref: "paper", layer: "below",
          fillcolor: "#ececec", line: { width: 0 },
        },
        line(limit, { color: "#333", width: 1.5, dash: "dash" }),
        line(onAxis, { color: "#000", width: 3 }),
      ],
      annotations: [
        {
          x: toAxis(limit), y: 0, yref: "paper", yanchor: "bottom", showarrow: false,
          xanchor: "left", align: "left", text: `limit<br>${shown(limit)}`,
        },
        {
          x: toAxis(onAxis), y: 1, yref: "paper", yanchor: "bottom", showarrow: false,
          xanchor: onAxis > limit ? "right" : onAxis > low ? "center" : "left",
          text: `<b>radius ${shown(radius)}${radius > high ? " →" : ""}</b>`,
        },
      ],
    };
  }

  const isLog = () => data.settings.persistence === "ratio";
  const toAxis = (x) => (isLog() ? Math.log10(x) : x); // annotations on a logarithmic axis take exponents
  function barcodeRange({ filtration }) {
    const births = [...filtration.bars, ...filtration.loops].map((bar) => bar[0]);
    const low = 0.9 * Math.min(filtration.ruler, ...births);
    const { limit } = filtration;
    return [low, isLog() ? limit * (limit / low) ** 0.3 : limit + 0.3 * (limit - low)];
  }

  function logTicks([low, high]) {
    const powers = Array.from({ length: 41 }, (_, place) => 10 ** (place - 20));
    const tickvals = powers.flatMap((power) => [power, 2 * power, 5 * power]).filter((x) => x >= low && x <= high);
    return { tickvals, ticktext: tickvals.map(shown) };
  }

  function bar(level, [birth, death], style, text, label = "") {
    return {
      type: "scatter", mode: "lines+markers+text", x: [birth, death], y: [level, level], hoverinfo: "text", hovertext: text,
      text: ["", label], textposition: "middle right", cliponaxis: false,
      line: { color: style.colour, width: style.width, dash: style.dash },
      marker: { symbol: style.symbol ?? "line-ns", size: style.symbol ? 9 : 1, color: style.colour },
    };
  }

  function barcodeTraces(fact) {
    const { bars, loops, limit, ruler, threshold } = fact.filtration;
    const traces = loops.map(([birth, death], level) => bar(level, [birth, Math.min(death ?? limit, limit)],
      { colour: colours[2], width: 1.5, dash: "dot" },
      `loop, born at ${shown(birth)}, ${death === null ? "not filled at the limit" : `filled at ${shown(death)}`}`));
    const base = loops.length ? loops.length + 1 : 0;
    bars.forEach(([birth, death, neurons, place, reason], level) => {
      const part = fact.components[place];
      const style = !part ? { colour: "#a0a0a0", width: 1.5 } : part.kept
        ? { ...componentLook(fact, place), width: 5 } : { ...FAILED, width: 3, dash: "dash" };
      const text = `${part ? part.name : "component"}, ${plural(neurons, "neuron")}<br>born at ${shown(birth)}, `
        + `dies at ${shown(death)}${reason ? `<br>${REASONS[reason]}` : ""}`;
      traces.push(bar(base + level, [birth, death], style, text, part ? part.name : ""));
    });
    traces.push(bar(base + bars.length + 0.5, [ruler, limit], { colour: "#000", width: 2, symbol: "line-ns-open" },
      SHORT_EDGES ? `median birth of all neurons: a bar must be longer than this (${shown(threshold)})`
        : `tau1: a bar must be longer than this (persistence ${shown(threshold)})`, SHORT_EDGES ? "median birth" : "tau1"));
    return traces;
  }

  function drawBarcode() {
    const { fact } = state;
    const { filtration } = fact;
    at("barcode").hidden = !filtration;
    if (!filtration) {
      at("barcode-caption").textContent =
        "No two of its knowledge neurons are at a finite distance: there is nothing to merge.";
      return;
    }
    const levels = filtration.bars.length + filtration.loops.length + 3;
    const range = barcodeRange(fact);
    const label = `Barcode: ${plural(filtration.bars.length, "component")} and ${plural(filtration.loops.length, "loop")}; `
      + `${SHORT_EDGES ? "all end" : "the filtration stops"} at ${shown(filtration.limit)}`;
    draw("barcode", label, barcodeTraces(fact), {
      height: Math.max(240, 100 + 12 * levels), margin: { l: 12, r: 12, t: 26, b: 44 },
      xaxis: {
        title: { text: "distance" }, type: isLog() ? "log" : "linear", zeroline: false,
        range: range.map((end) => toAxis(end)), ...(isLog() ? logTicks(range) : {}),
      },
      yaxis: { visible: false, range: [-1, levels - 0.5] },
      ...barcodeShapes(fact),
    });
    at("barcode-caption").textContent = SHORT_EDGES
      ? "Bars: the clusters of the released code that went to the functional test (thick: BDC; dashed: failed it). A bar "
        + "begins where the first neuron of its cluster was joined to another. Thick upright line: the radius. Dashed upright "
        + "line: the longest distance below the quantile, where all bars end; joining stops before, at half of these "
        + "distances. The bar on top: all others must be longer, than the median birth of the fact’s neurons."
      : `Bars: ${filtration.bars.length} of the ${filtration.living} components of two or more neurons that live for a while `
      + "(thick: BDC; dashed: failed the functional test), and below them "
      + `${filtration.loops.length} of ${plural(filtration.allLoops, "loop")} (dotted). `
      + "Thick upright line: the radius. Dashed upright line: where NTC’s filtration stops; what lives then dies there. "
      + "tau1 (top): persistence must be longer than this.";
  }

  function drawSuppression() {
    const { suppression, components } = state.fact;
    const kept = components.filter((part) => part.kept).length;
    at("suppression-figure").hidden = !suppression;
    const draws = Math.max(0, ...(suppression?.rows ?? []).map((row) => row.random.length));
    at("suppression-note").textContent = !suppression
      ? "No component of this fact was tested, so none was suppressed."
      : `Prob is ${shown(suppression.before)} with nothing suppressed. ${kept > 1
        ? `Diamonds: as many of this fact’s knowledge neurons drawn at random, ${plural(draws, "draw")} each; none where the `
          + "experiment’s sample of subsets left a BDC out."
        : "Nothing was drawn at random: the experiment takes facts with two or more BDCs."} The axis is scaled to this fact.`;
    if (!suppression) return;
    const { rows } = suppression;
    const ticks = rows.map((row) => `${row.name} (${row.neurons})`);
    const looks = rows.map((row) => (row.component === null ? { colour: "#a0a0a0" } : componentLook(state.fact, row.component)));
    const points = rows.flatMap((row, place) => row.random.map((drawn) => ({ x: drawn.drop, y: ticks[place], prob: drawn.prob })));
    draw("suppression", `Drop in Prob: ${rows.map((row) => `${row.name} ${shown(row.drop)} per cent`).join(", ")}`, [
      {
        type: "bar", orientation: "h", x: rows.map((row) => row.drop), y: ticks,
        marker: { color: looks.map((look) => look.colour) }, hoverinfo: "text", textposition: "none",
        text: rows.map((row) => `${row.name}, ${plural(row.neurons, "neuron")}<br>Prob ${shown(row.prob)}, drop ${shown(row.drop)} %`),
      },
      {
        type: "scatter", mode: "markers", x: points.map((point) => point.x), y: points.map((point) => point.y),
        marker: { symbol: "diamond-open", size: 11, color: "#000", line: { width: 2 } }, hoverinfo: "text",
        text: points.map((point) => `random set of the same size<br>Prob ${shown(point.prob)}, drop ${shown(point.x)} %`),
      },
    ], {
      height: 90 + 34 * rows.length, margin: { l: 8, r: 16, t: 8, b: 48 }, bargap: 0.35,
      xaxis: { title: { text: "drop in Prob, % of Prob before" }, zeroline: true, zerolinecolor: "#333", automargin: true },
      yaxis: { automargin: true, autorange: "reversed", type: "category" },
    });
    fillTable(at("numbers"), rows.map((row) => [row.name, String(row.neurons), shown(row.prob), `${shown(row.drop)} %`,
      shown(row.nats), row.random.map((drawn) => `${shown(drawn.drop)} %`).join(", ") || "–"]));
  }

  // --- text ---------------------------------------------------------------------------------------------------------
  function neuronList(fact, places) {
    const layers = places.map((place) => fact.neurons.layer[place]);
    const [low, high] = [Math.min(...layers), Math.max(...layers)];
    const made = element("details", "");
    made.append(
      element("summary", `${places.length} in layers ${low} to ${high}`),
      places.map((place) => `${fact.neurons.layer[place]}.${fact.neurons.neuron[place]}`).join(", "),
    );
    return made;
  }

  function fillComponents() {
    const { fact } = state;
    const { components } = fact;
    const kept = components.filter((part) => part.kept).length;
    at("components").hidden = !components.length;
    at("components-note").textContent = components.length
      ? `${fact.loss} ${kept} of ${plural(components.length, "component")} passed the functional test and ${kept === 1 ? "is a BDC" : "are BDCs"} `
        + `(base degenerate components). The fact is ${kept > 1 ? "" : "not "}degenerate: that takes two. Neurons are written layer.number.`
      : `No ${SHORT_EDGES ? "cluster of this fact lasts long enough" : "component of this fact has enough persistence"} to be tested.`;
    fillTable(at("components"), components.map((part, place) => [
      marked(componentLook(fact, place), part.name), neuronList(fact, part.places), shown(part.birth), shown(part.death),
      shown(part.persistence), shown(part.alone), `${part.kept ? "kept" : "not kept"}: ${part.verdict}`,
    ]));
  }

  function announce() {
    const { filtration } = state.fact;
    if (!filtration) {
      at("count").textContent = "No merge: all neurons stay apart.";
      return;
    }
    const { step } = state;
    const radius = step ? filtration.radii[step - 1] : 0;
    const { count, groups } = radiusGroups(state.fact, step);
    const limit = SHORT_EDGES ? "the released code’s limit" : "NTC’s limit";
    const place = step === filtration.limitStep ? ` (the last merge within ${limit})`
      : step > filtration.limitStep ? ` (beyond ${limit})` : "";
    const text = `${plural(count, "component")} at radius ${shown(radius)}${place}, ${groups.length - 1} of two or more neurons`
      + (step === filtration.radii.length && count > 1 ? "; no finite distance joins them" : "");
    at("count").textContent = text;
    at("radius").setAttribute("aria-valuetext", text);
  }

  // --- actions ------------------------------------------------------------------------------------------------------
  function setMode(mode) {
    state.mode = mode;
    document.querySelector(`input[name=mode][value=${mode}]`).checked = true;
    drawNeurons();
  }

  function setStep(step) {
    state.step = step;
    at("radius").value = String(step);
    announce();
    setMode("radius");
    Plotly.relayout("barcode", barcodeShapes(state.fact));
  }

  function prepareSlider(fact) {
    const steps = fact.filtration?.radii.length ?? 0;
    state.step = fact.filtration?.limitStep ?? 0;
    at("radius").max = String(steps);
    at("radius").disabled = at("to-limit").disabled = !steps;
    at("radius").value = at("mark").value = String(state.step);
  }

  function showFact(fact) {
    state.fact = fact;
    at("fact").value = fact.id;
    at("prompt").textContent = `${fact.prompt} …`;
    at("answer").textContent = fact.answer;
    fillList(at("about"), [
      ["Prob", `${shown(fact.prob)} (${fact.known ? "known: greedy decoding gives the answer" : "not known"})`],
      ["Knowledge neurons", String(fact.neurons.layer.length)],
      ["Subject, relation", `${fact.subject}, ${fact.relation}`],
    ]);
    prepareSlider(fact);
    announce();
    setMode("tested");
    drawBarcode();
    fillComponents();
    drawSuppression();
  }

  // --- choosing a fact ----------------------------------------------------------------------------------------------
  const label = (fact) => `${fact.prompt} … ${fact.answer}`;
  const isDegenerate = (fact) => fact.components.filter((part) => part.kept).length > 1;

  function offer(facts) {
    const group = (name, part) => {
      const made = element("optgroup", "", { label: name });
      made.append(...part.map((fact) => element("option", label(fact), { value: fact.id })));
      return made;
    };
    const groups = [["Degenerate", facts.filter(isDegenerate)], ["Not degenerate", facts.filter((fact) => !isDegenerate(fact))]];
    at("fact").replaceChildren(...groups.filter(([, part]) => part.length).map(([name, part]) => group(name, part)));
    at("matches").textContent = facts.length === data.facts.length ? "" : `${facts.length} of ${plural(data.facts.length, "fact")} match`;
  }

  function search() {
    const words = at("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
    const found = data.facts.filter((fact) => words.every((word) => label(fact).toLowerCase().includes(word)));
    offer(found);
    at("fact").disabled = !found.length;
    if (found.includes(state.fact)) at("fact").value = state.fact.id;
    else if (found.length) showFact(data.facts.find((fact) => fact.id === at("fact").value));
  }

  function describePage() {
    const { counts, provenance } = data;
    at("model").textContent = data.model.description;
    at("counts").textContent = `Shown: ${counted(counts.shown)} of the ${plural(counts.attributed, "fact")} whose knowledge neurons were `
      + `looked for (${counted(counts.degenerateShown)} of ${plural(counts.degenerate, "degenerate one")})`
      + (counts.shown < counts.attributed ? `, drawn at random with seed ${counts.seed}` : "")
      + `; the study has ${plural(counts.facts, "fact")}.`;
    fillList(at("provenance"), [
      ["Settings", JSON.stringify(provenance.settings)],
      ["Settings, SHA-256", provenance.settings_sha256],
      ["Code, SHA-256", provenance.code_sha256],
      ...Object.entries(provenance.inputs).map(([path, sum]) => [`${path}, SHA-256`, sum]),
      ["Versions", Object.entries(provenance.versions).map(([name, version]) => `${name} ${version}`).join(", ")],
    ]);
  }

  function start() {
    if (SHORT_EDGES) at("to-limit").textContent = "To the last merge of the released code";
    describePage();
    offer(data.facts);
    at("filter").addEventListener("input", search);
    at("fact").addEventListener("change", (event) => showFact(data.facts.find((fact) => fact.id === event.target.value)));
    at("radius").addEventListener("input", (event) => setStep(Number(event.target.value)));
    at("to-limit").addEventListener("click", () => setStep(state.fact.filtration.limitStep));
    document.querySelectorAll("input[name=mode]").forEach((choice) =>
      choice.addEventListener("change", (event) => setMode(event.target.value)));
    const kept = (fact) => fact.components.filter((part) => part.kept).length;
    const first = data.facts.reduce((best, fact) => (best && kept(best) >= kept(fact) ? best : fact), null);
    if (first) showFact(first);
    else at("counts").textContent += " There is nothing to show.";
  }

  start();
})();
