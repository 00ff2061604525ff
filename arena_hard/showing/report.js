// A click on a column's name sorts by it; without this script the rows stand in their order.
for (const head of document.querySelectorAll("table.sortable thead th")) head.querySelector("button").onclick = () => {
  const body = head.closest("table").tBodies[0], column = head.cellIndex;
  const down = head.getAttribute("aria-sort") !== "descending";
  const key = row => { const v = row.cells[column].dataset.value; return v === undefined ? null : v; };
  const compare = (a, b) => {
    const [x, y] = [key(a), key(b)], [m, n] = [parseFloat(x), parseFloat(y)];
    if (x === "" || y === "") return (x === "") - (y === "");
    const order = isNaN(m) || isNaN(n) ? x.localeCompare(y) : m - n;
    return down ? -order : order;
  };
  [...body.rows].sort(compare).forEach(row => body.append(row));
  for (const other of head.parentNode.cells) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", down ? "descending" : "ascending");
};
