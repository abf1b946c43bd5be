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
    Array.from(table.tBodies[0].rows).forEach(function (row, at) {
      row.classList.toggle("folded", at >= shown);
    });
  }
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
})();
