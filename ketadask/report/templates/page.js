"use strict";
(function () {
  var status = document.getElementById("status");
  function key(row, column, kind) {
    var cell = row.cells[column];
    if (kind === "text") return cell.textContent.trim().toLowerCase();
    var text = cell.dataset.key;
    if (text === undefined) {
      var data = cell.querySelector("data");
      text = data ? data.value : cell.textContent.trim();
    }
    var number = parseFloat(text);
    return isNaN(number) ? Infinity : number;
  }
  function sort(button) {
    var heading = button.closest("th"), table = button.closest("table");
    var body = table.tBodies[0], column = heading.cellIndex, kind = button.dataset.sort;
    var down = heading.getAttribute("aria-sort") === "ascending";
    Array.from(heading.parentNode.cells).forEach(function (th) { th.removeAttribute("aria-sort"); });
    heading.setAttribute("aria-sort", down ? "descending" : "ascending");
    var rows = Array.from(body.rows).map(function (row, at) {
      return { row: row, at: at, key: key(row, column, kind) };
    });
    rows.sort(function (a, b) {
      var order = a.key < b.key ? -1 : a.key > b.key ? 1 : 0;
      return (down ? -order : order) || a.at - b.at;
    });
    rows.forEach(function (r) { body.appendChild(r.row); });
    status.textContent = "Sorted by " + button.textContent + (down ? ", descending" : ", ascending");
    fold(table);
  }
  function fold(table) {
    var shown = table.dataset.open ? Infinity : Number(table.dataset.shown || Infinity);
    var words = (table.dataset.words || "").toLowerCase(), count = 0;
    Array.from(table.tBodies[0].rows).forEach(function (row) {
      var fits = row.textContent.toLowerCase().replace(/\u00a0/g, " ").indexOf(words) >= 0;
      if (table.dataset.only && !row.classList.contains("is-supported")) fits = false;
      row.classList.toggle("folded", !fits || count >= shown);
      if (fits) count += 1;
    });
    return count;
  }
  function button(text, action) {
    var element = document.createElement("button");
    element.type = "button";
    element.className = "tool";
    element.textContent = text;
    element.addEventListener("click", action);
    return element;
  }
  function addFilter(table) {
    var box = document.createElement("p"), input = document.createElement("input");
    var rows = table.tBodies[0].rows.length;
    function update() {
      if (input.value || table.dataset.only) table.dataset.open = "yes";
      table.dataset.words = input.value;
      status.textContent = fold(table) + " of " + rows + " rows are shown";
    }
    box.className = "filter";
    input.type = "search";
    input.placeholder = "Filter";
    input.setAttribute("aria-label", "Filter the table of " + table.dataset.filter);
    input.addEventListener("input", update);
    box.appendChild(input);
    if (table.querySelector(".is-supported")) {
      var label = document.createElement("label"), only = document.createElement("input");
      only.type = "checkbox";
      only.addEventListener("change", function () {
        table.dataset.only = only.checked ? "yes" : "";
        update();
      });
      label.append(only, " only supported");
      box.appendChild(label);
    }
    table.closest(".scroll, section").querySelector("table").insertAdjacentElement("beforebegin", box);
  }
  var root = document.documentElement;
  function save(name, href) {
    var link = document.createElement("a");
    link.href = href;
    link.download = name;
    link.click();
    status.textContent = name + " is saved";
  }
  function drawing(figure) {
    var style = getComputedStyle(root), box = { width: 0, height: 0 };
    var sheet = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    figure.querySelectorAll("svg.drawn, svg.brain").forEach(function (svg) {
      if (svg.getBoundingClientRect().width === 0) { return; }
      var copy = svg.cloneNode(true), full = svg.viewBox.baseVal;
      var scale = svg.classList.contains("brain") ? 480 / full.width : 1;
      copy.setAttribute("y", box.height);
      copy.setAttribute("width", scale * full.width);
      copy.setAttribute("height", scale * full.height);
      box.width = Math.max(box.width, scale * full.width);
      box.height += scale * full.height;
      sheet.appendChild(copy);
    });
    sheet.setAttribute("width", box.width);
    sheet.setAttribute("height", box.height);
    sheet.setAttribute("viewBox", "0 0 " + box.width + " " + box.height);
    sheet.setAttribute("style", "font-family:sans-serif;background:" + style.getPropertyValue("--paper").trim());
    var text = new XMLSerializer().serializeToString(sheet);
    text = text.replace(/var\(--([a-z]+)\)/g, function (all, name) {
      return style.getPropertyValue("--" + name).trim();
    });
    return { url: "data:image/svg+xml;charset=utf-8," + encodeURIComponent(text), box: box };
  }
  document.querySelectorAll("figure.plot").forEach(function (figure) {
    var name = figure.id.replace("figure-", ""), caption = figure.querySelector("figcaption");
    var line = document.createElement("p");
    line.className = "tools";
    line.appendChild(button("SVG", function () { save(name + ".svg", drawing(figure).url); }));
    line.appendChild(button("PNG", function () {
      var source = drawing(figure), image = new Image();
      image.onload = function () {
        var canvas = document.createElement("canvas"), pen = canvas.getContext("2d");
        canvas.width = 3 * source.box.width;
        canvas.height = 3 * source.box.height;
        pen.drawImage(image, 0, 0, canvas.width, canvas.height);
        save(name + ".png", canvas.toDataURL("image/png"));
      };
      image.src = source.url;
    }));
    line.querySelectorAll("button").forEach(function (one) {
      one.setAttribute("aria-label", "Save the figure " + name + " as " + one.textContent);
    });
    caption.insertAdjacentElement("afterend", line);
  });
  // The first occurrence of each word of the glossary in each section links to its definition.
  var plain = "h1,h2,h3,h4,a,code,pre,button,svg,summary,caption,th,dfn,label";
  var terms = [];
  document.querySelectorAll("#glossary [data-names]").forEach(function (entry) {
    entry.dataset.names.split("|").forEach(function (name) {
      var word = name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&") + (name.length > 1 ? "s?" : "");
      terms.push({
        id: entry.id, size: name.length, meaning: entry.querySelector("dd").textContent,
        word: new RegExp("(?<![\\w’'-])" + word + "(?![\\w’'-])", name.length > 1 ? "i" : ""),
      });
    });
  });
  terms.sort(function (a, b) { return b.size - a.size; });
  document.querySelectorAll("main section:not(#glossary)").forEach(function (section) {
    var walker = document.createTreeWalker(section, NodeFilter.SHOW_TEXT), nodes = [], ids = {};
    while (walker.nextNode()) {
      if (!walker.currentNode.parentElement.closest(plain)) nodes.push(walker.currentNode);
    }
    terms.forEach(function (term) {
      for (var k = 0; k < nodes.length && !ids[term.id]; k += 1) {
        var match = term.word.exec(nodes[k].data);
        if (!match) continue;
        var dfn = document.createElement("dfn"), link = document.createElement("a");
        var rest = nodes[k].splitText(match.index).splitText(match[0].length);
        link.href = "#" + term.id;
        link.title = term.meaning;
        link.textContent = match[0];
        dfn.appendChild(link);
        rest.previousSibling.replaceWith(dfn);
        nodes.splice(k + 1, 0, rest);
        ids[term.id] = true;
      }
    });
  });
  var tools = document.getElementById("tools");
  if (tools) {
    tools.appendChild(button("Dark or light", function () {
      var dark = root.dataset.theme ? root.dataset.theme === "dark"
        : matchMedia("(prefers-color-scheme: dark)").matches;
      root.dataset.theme = dark ? "light" : "dark";
    }));
    if (document.querySelector("#claims, #answer")) tools.appendChild(button("Print one page", function () {
      root.classList.add("onepage");
      window.print();
      root.classList.remove("onepage");
    }));
  }
  if (location.hash === "#onepage") root.classList.add("onepage");
  document.querySelectorAll("th button[data-sort]").forEach(function (button) {
    button.addEventListener("click", function () { sort(button); });
  });
  document.querySelectorAll("table[data-shown]").forEach(function (table) {
    var rows = table.tBodies[0].rows.length;
    if (rows <= Number(table.dataset.shown)) return;
    fold(table);
    var more = document.createElement("button");
    more.type = "button";
    more.className = "more";
    more.textContent = "Show all " + rows + " rows";
    more.addEventListener("click", function () {
      table.dataset.open = "yes";
      fold(table);
      more.remove();
      status.textContent = "All rows are shown";
    });
    table.insertAdjacentElement("afterend", more);
  });
  document.querySelectorAll("table[data-filter]").forEach(addFilter);
})();
