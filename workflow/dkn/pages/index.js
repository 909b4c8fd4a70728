"use strict";
// Lets the tables be sorted and filtered, and opens what is folded for printing. Without it everything can be read.
(() => {
  const FEW = 12; // rows of a table that needs no filter
  const CHOICES = 24; // the most values of a column that are a list to choose from
  const PRINTED = 250; // rows of the longest table that is printed

  function element(tag, text, attributes = {}) {
    const made = document.createElement(tag);
    made.textContent = text;
    Object.entries(attributes).forEach(([name, value]) => made.setAttribute(name, value));
    return made;
  }

  // --- sorting ------------------------------------------------------------------------------------------------------
  function numberIn(text) {
    const found = text.replace(/−/g, "-").replace(/(\d),(?=\d{3})/g, "$1").match(/-?\d+(\.\d+)?(e[+-]?\d+)?/i);
    return found ? Number(found[0]) : null;
  }

  function compare(one, other) {
    if (one === null || other === null) return (one === null) - (other === null); // what is missing comes last
    return typeof one === "number" ? one - other : one.localeCompare(other, "en", { numeric: true });
  }

  function sortable(table, rows) {
    const body = table.tBodies[0];
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      const numbers = head.classList.contains("n");
      const button = element("button", head.textContent, { type: "button" });
      head.replaceChildren(button);
      button.addEventListener("click", () => {
        const next = { ascending: "descending", descending: null }[head.getAttribute("aria-sort")];
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        let order = rows;
        if (next !== null) {
          const direction = next ?? "ascending";
          head.setAttribute("aria-sort", direction);
          const keys = new Map(rows.map((row) => {
            const text = row.cells[column].textContent;
            return [row, numbers ? numberIn(text) : text];
          }));
          const known = rows.filter((row) => keys.get(row) !== null);
          const sign = direction === "ascending" ? 1 : -1;
          known.sort((one, other) => sign * compare(keys.get(one), keys.get(other)));
          order = [...known, ...rows.filter((row) => keys.get(row) === null)];
        }
        body.append(...order);
      });
    });
  }

  // --- filters ------------------------------------------------------------------------------------------------------
  function filterable(table, rows) {
    const title = document.getElementById(table.getAttribute("aria-labelledby")).textContent;
    const tools = element("div", "", { class: "tools", role: "group", "aria-label": `Filter ${title}` });
    const words = element("input", "", { type: "search", autocomplete: "off", spellcheck: "false" });
    const status = element("p", "", { role: "status" });
    const texts = new Map(rows.map((row) => [row, [...row.cells].map((cell) => cell.textContent).join(" ").toLowerCase()]));
    const lists = [];

    function labelled(text, control) {
      const label = element("label", text);
      label.append(control);
      tools.append(label);
    }

    function show() {
      const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
      let count = 0;
      rows.forEach((row) => {
        row.hidden = !(wanted.every((word) => texts.get(row).includes(word)) &&
          lists.every(({ column, list }) => !list.value || row.cells[column].textContent === list.value));
        count += !row.hidden;
      });
      status.textContent = `${count.toLocaleString("en")} of ${rows.length.toLocaleString("en")} rows`;
    }

    labelled("Rows with the words", words);
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      if (head.classList.contains("n")) return;
      const values = [...new Set(rows.map((row) => row.cells[column].textContent))];
      if (values.length < 2 || values.length > CHOICES) return;
      const list = element("select", "");
      list.append(new Option("all", ""), ...values.filter(Boolean).map((value) => new Option(value, value)));
      lists.push({ column, list });
      labelled(head.textContent, list);
    });
    tools.append(status);
    ["input", "change"].forEach((kind) => tools.addEventListener(kind, show));
    table.closest(".scroll").before(tools);
    show();
  }

  document.querySelectorAll("table.sorted").forEach((table) => {
    const rows = [...table.tBodies[0].rows];
    sortable(table, rows);
    if (rows.length > FEW) filterable(table, rows);
  });

  // --- folded parts -------------------------------------------------------------------------------------------------
  function unfold() {
    const part = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (part) for (let at = part; at; at = at.parentElement) if (at.tagName === "DETAILS") at.open = true;
  }
  addEventListener("hashchange", unfold);
  unfold();

  let opened = [];
  addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("details:not([open])")]
      .filter((part) => part.querySelectorAll("tr:not([hidden])").length <= PRINTED);
    opened.forEach((part) => { part.open = true; });
  });
  addEventListener("afterprint", () => opened.forEach((part) => { part.open = false; }));
})();
