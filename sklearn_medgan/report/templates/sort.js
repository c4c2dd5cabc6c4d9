"use strict";
// A click on a column's name sorts by it: numbers from the largest, text from the first; once more, the other way round.
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    if (head.tagName !== "TH") return;
    const button = document.createElement("button");
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const rows = [...body.rows];
      const value = (row) => row.cells[column].dataset.value ?? row.cells[column].textContent;
      const numbers = rows.every((row) => "value" in row.cells[column].dataset);
      const up = head.ariaSort === "none" || !head.ariaSort ? !numbers : head.ariaSort === "descending";
      const order = numbers
        ? (a, b) => (value(a) === "") - (value(b) === "") || (value(a) - value(b)) * (up ? 1 : -1)
        : (a, b) => value(a).localeCompare(value(b)) * (up ? 1 : -1);
      body.append(...rows.sort(order));
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
    });
  });
}
// Paper shows all: closed details open for printing, and close again.
const closed = () => document.querySelectorAll("details:not([open])");
let opened = [];
addEventListener("beforeprint", () => { opened = [...closed()]; opened.forEach((each) => { each.open = true; }); });
addEventListener("afterprint", () => opened.forEach((each) => { each.open = false; }));
