(function () {
  var content = JSON.parse(document.getElementById("content").textContent);
  var runs = content.runs, boxes = document.querySelectorAll(".run"), rows = [];
  var SVG = "http://www.w3.org/2000/svg", SIDES = ["inside", "outside"], ARMS = ["active", "control"];
  function element(name, attributes, text) {
    var node = document.createElement(name);
    Object.keys(attributes || {}).forEach(function (key) { node.setAttribute(key, attributes[key]); });
    if (text !== undefined) node.textContent = text;
    return node;
  }
  function shape(parent, name, attributes, text) {
    var node = document.createElementNS(SVG, name);
    Object.keys(attributes).forEach(function (key) { node.setAttribute(key, attributes[key]); });
    if (text !== undefined) node.textContent = text;
    parent.appendChild(node);
    return node;
  }
  function mean(values) {
    return values.reduce(function (sum, x) { return sum + x; }, 0) / values.length;
  }
  function fixed(value, places) {
    return isFinite(value) ? value.toFixed(places).replace("-", "−") : "–";
  }
  function isNumber(value) { return value !== null; }
  function feature(name) {
    var run = runs.find(function (one) { return one.features[name]; });
    return run && run.features[name];
  }

  function field(text, input) {
    var label = element("label", {}, text);
    label.appendChild(input);
    return label;
  }
  function addRow(number) {
    var line = element("p", { class: "filter" }), select = element("select");
    var low = element("input", { type: "number", step: "any", placeholder: "no limit" });
    var high = low.cloneNode(), facts = element("span", { class: "ci" });
    var names = new Set(runs.flatMap(function (run) { return Object.keys(run.features); }));
    select.appendChild(element("option", { value: "" }, "no feature"));
    names.forEach(function (name) {
      select.appendChild(element("option", { value: name }, feature(name).label));
    });
    select.setAttribute("aria-label", "Feature " + number);
    line.setAttribute("role", "group");
    line.setAttribute("aria-label", "Value range " + number);
    line.append(select, field("above ", low), field("at most ", high), facts);
    document.getElementById("ranges").appendChild(line);
    select.addEventListener("change", function () { low.value = high.value = ""; update(); });
    low.addEventListener("input", update);
    high.addEventListener("input", update);
    rows.push({ select: select, low: low, high: high, facts: facts });
  }
  function ranges() {
    return rows.filter(function (row) { return row.select.value; }).map(function (row) {
      return {
        name: row.select.value,
        low: row.low.value === "" ? -Infinity : Number(row.low.value),
        high: row.high.value === "" ? Infinity : Number(row.high.value),
      };
    });
  }
  // 1 inside, 0 outside, null where a missing value leaves it open.
  function members(run, chosen) {
    return run.score.map(function (score, unit) {
      var state = 1;
      chosen.forEach(function (range) {
        var value = run.features[range.name].values[unit];
        if (value === null) state = state === 0 ? 0 : null;
        else if (!(value > range.low && value <= range.high)) state = 0;
      });
      return state;
    });
  }
  function addCells(body, run, name, mask) {
    var row = element("tr"), outcomes = run.outcome.map(function (values) {
      return values.filter(function (x, unit) { return mask[unit] && isNumber(x); });
    });
    var scores = run.score.filter(function (x, unit) { return mask[unit] && isNumber(x); });
    var size = mask.filter(Boolean).length, benefit = mean(scores);
    row.appendChild(element("th", { scope: "row" }, name));
    var cells = outcomes.map(function (values) {
      return fixed(mean(values), run.places) + " (" + values.length + ")";
    });
    [String(size), fixed(benefit, run.places)].concat(cells).forEach(function (text) {
      row.appendChild(element("td", { class: "number" }, text));
    });
    body.appendChild(row);
    return { benefit: benefit, size: size };
  }
  // As in the report: days with a fifth of the visits of day 0, and means of at least two.
  function points(run, states) {
    var visits = run.courses, groups = {}, counts = {};
    (visits.unit || []).forEach(function (unit, k) {
      var state = states[unit];
      if (state === null) return;
      var key = [state ? 0 : 1, visits.arm[k], visits.day[k]].join();
      (groups[key] = groups[key] || []).push(visits.score[k]);
      counts[visits.day[k]] = (counts[visits.day[k]] || 0) + 1;
    });
    return Object.keys(groups).map(function (key) {
      var parts = key.split(",").map(Number), values = groups[key], n = values.length, m = mean(values);
      var square = mean(values.map(function (x) { return (x - m) * (x - m); }));
      var t = content.quantiles[Math.min(n - 1, content.quantiles.length) - 1];
      return {
        side: parts[0], arm: parts[1], day: parts[2], n: n, mean: m,
        reach: t * Math.sqrt(square / (n - 1)),
      };
    }).filter(function (p) {
      return p.n > 1 && counts[p.day] >= 0.2 * (counts[0] || 0);
    }).sort(function (a, b) { return a.day - b.day; });
  }
  function drawPanels(box, all) {
    box.textContent = "";
    if (!all.length) return;
    var days = Array.from(new Set(all.map(function (p) { return p.day; })));
    var high = Math.max.apply(null, all.map(function (p) { return p.mean + p.reach; }));
    var low = Math.min(0, Math.min.apply(null, all.map(function (p) { return p.mean - p.reach; })));
    var last = days[days.length - 1], width = 360, height = 240, step = high - low > 30 ? 10 : 5;
    function x(day) { return 34 + (width - 50) * (last > days[0] ? (day - days[0]) / (last - days[0]) : 0.5); }
    function y(score) { return height - 44 - (height - 70) * (score - low) / (high - low || 1); }
    SIDES.forEach(function (side, index) {
      var own = all.filter(function (p) { return p.side === index; });
      var ends = own.filter(function (p) { return p.day === last; }).map(function (p) {
        return ARMS[p.arm] + " " + fixed(p.mean, 1) + " (" + p.n + ")";
      });
      var svg = document.createElementNS(SVG, "svg");
      svg.setAttribute("viewBox", "0 0 " + width + " " + height);
      svg.setAttribute("class", "drawn");
      svg.setAttribute("role", "img");
      svg.setAttribute("aria-label", "Mean score by day, " + side + "; day " + last + ": " + (ends.join(", ") || "too few"));
      shape(svg, "text", { x: 0, y: 14 }, side);
      for (var tick = Math.ceil(low / step) * step; tick <= high; tick += step) {
        shape(svg, "line", { class: "grid", x1: 28, x2: width, y1: y(tick), y2: y(tick) });
        shape(svg, "text", { class: "tick", x: 24, y: y(tick) + 4, "text-anchor": "end" }, String(tick));
      }
      var end = -Infinity;
      days.forEach(function (day) {
        if (x(day) - end < 18) return;
        end = x(day);
        shape(svg, "text", { class: "tick", x: end, y: height - 24, "text-anchor": "middle" }, String(day));
      });
      shape(svg, "text", { class: "tick", x: (width + 34) / 2, y: height - 6, "text-anchor": "middle" }, "day after the infusion");
      ARMS.forEach(function (arm, at) {
        var group = shape(svg, "g", { class: arm }), line = own.filter(function (p) { return p.arm === at; });
        var shift = at ? 2 : -2;
        shape(group, "polyline", { fill: "none", "stroke-width": 1.8, points: line.map(function (p) {
          return (x(p.day) + shift) + "," + y(p.mean);
        }).join(" "), style: "fill:none" });
        line.forEach(function (p) {
          var middle = x(p.day) + shift;
          shape(group, "line", { x1: middle, x2: middle, y1: y(p.mean - p.reach), y2: y(p.mean + p.reach) });
          var mark = at ? shape(group, "rect", { x: middle - 3, y: y(p.mean) - 3, width: 6, height: 6 })
            : shape(group, "circle", { cx: middle, cy: y(p.mean), r: 3.5 });
          shape(mark, "title", {}, side + ", " + arm + ", day " + p.day + ": " + fixed(p.mean, 1) + ", " + p.n + " cases");
        });
      });
      box.appendChild(svg);
    });
  }
  function update() {
    var chosen = ranges();
    rows.forEach(function (row) {
      var values = row.select.value ? feature(row.select.value).values.filter(isNumber) : [];
      row.facts.textContent = values.length ? "values " + Math.min.apply(null, values).toLocaleString("en") + " to " +
        Math.max.apply(null, values).toLocaleString("en") + " " + feature(row.select.value).unit : "";
    });
    runs.forEach(function (run, k) {
      var box = boxes[k], body = box.querySelector("tbody"), state = box.querySelector(".state");
      var absent = chosen.filter(function (range) { return !run.features[range.name]; });
      body.textContent = "";
      if (absent.length) {
        state.textContent = absent.map(function (range) { return feature(range.name).label; }).join(" and ") + ": not in the data of this run.";
        drawPanels(box.querySelector(".panels"), []);
        return;
      }
      var states = members(run, chosen), effects = [1, 0, null].map(function (word, at) {
        var mask = states.map(function (one) { return one === word; });
        if (word === null && !mask.some(Boolean)) return null;
        return addCells(body, run, ["inside", "outside", "unknown: a value is missing"][at], mask);
      });
      var difference = effects[0].benefit - effects[1].benefit;
      state.textContent = effects[0].size + " inside, " + effects[1].size + " outside. Benefit inside minus outside: " +
        fixed(difference, run.places) + " " + run.unit + ", selected by looking at these data." +
        (Math.min(effects[0].size, effects[1].size) < 8 ? " Very few: chance decides." : "");
      drawPanels(box.querySelector(".panels"), points(run, states));
    });
  }
  var preset = document.getElementById("preset"), personas = [{ name: "all participants", ranges: [] }];
  runs.forEach(function (run, k) {
    run.personas.forEach(function (one) {
      personas.push({ name: (runs.length > 1 ? (k ? "second run: " : "first run: ") : "") + one.name, ranges: one.ranges });
    });
  });
  personas.forEach(function (one, k) { preset.appendChild(element("option", { value: k }, one.name)); });
  preset.addEventListener("change", function () {
    rows.forEach(function (row, k) {
      var range = personas[preset.value].ranges[k] || ["", null, null];
      row.select.value = range[0];
      row.low.value = range[1] === null ? "" : range[1];
      row.high.value = range[2] === null ? "" : range[2];
    });
    update();
  });
  for (var k = 1; k <= Number(document.getElementById("ranges").dataset.count); k += 1) addRow(k);
  preset.value = personas.length > 1 ? 1 : 0;
  preset.dispatchEvent(new Event("change"));
})();
