// The page's own behaviour: links and forms fetch the next page without a reload, keys step through
// the games, code blocks get a copy button. `fetchPage` is null in exported pages.
function arenaHard(root, fetchPage, decide) {
  const room = root.querySelector("[data-room]") || root;
  const spoken = root.querySelector("[data-spoken]");
  const SOON_MS = 300, LATER_MS = 2000;
  let newest = 0;
  let following;
  let isTouched = false; // whether the person has typed or chosen anything since the page came
  let isReplaced = false; // while the page gives way: browsers tell then of a change in a field that goes with it
  let folds = new Map(); // which were open when the page came

  root.closest("main")?.setAttribute("role", "presentation"); // Gradio's; the page has a main part of its own

  const page = () => room.querySelector(".ah");

  function copyButton(box) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    button.textContent = "Copy";
    button.setAttribute("aria-label", "Copy the code");
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(box.querySelector("code").textContent);
        button.textContent = "Copied";
      } catch {
        button.textContent = "Select and copy by hand";
      }
      setTimeout(() => (button.textContent = "Copy"), 2000);
    });
    const frame = document.createElement("div");
    frame.className = "code";
    frame.dataset.language = box.dataset.language || "";
    box.replaceWith(frame);
    frame.append(box, button);
  }

  function enhance() {
    room.querySelectorAll(".markup pre, pre.run").forEach(copyButton);
    const shown = page();
    if (shown) document.title = shown.dataset.title;
    isTouched = false;
    folds = new Map([...room.querySelectorAll("details")].map((each) => [each, each.open]));
    follow();
  }

  // Whether the person would lose something if another page took the place of this one.
  function isInUse() {
    const focused = document.activeElement;
    return isTouched || (room.contains(focused) && focused.tabIndex >= 0) || [...folds].some(([each, open]) => each.open !== open);
  }

  // While the server still reads, the line that says how far it is; the page itself once there is something, or all,
  // and a button that shows it where the person is busy.
  function follow() {
    clearTimeout(following);
    if (!fetchPage || !room.querySelector("[data-reading]")) return;
    following = setTimeout(async () => {
      const turn = newest;
      const html = await fetchPage(location.search).catch(() => "");
      const line = room.querySelector("[data-reading]");
      if (turn !== newest || !line) return;
      const next = new DOMParser().parseFromString(html, "text/html").querySelector("[data-reading]");
      const hasMore = html && next?.dataset.reading !== line.dataset.reading;
      if (hasMore && !isInUse()) return show(html, { keep: true });
      if (hasMore) offer(line, next ? "There is something to show now." : "All is read.");
      else if (next) line.replaceWith(next);
      if (next || !hasMore) follow();
    }, room.querySelector("[data-reading=none]") ? SOON_MS : LATER_MS);
  }

  function offer(line, words) {
    if (!line.querySelector("button")) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "button";
      button.textContent = "Show it";
      button.addEventListener("mousedown", (event) => event.preventDefault()); // else the field that is left sends its form
      button.addEventListener("click", showMore);
      line.replaceChildren("", " ", button);
      line.dataset.reading = "offered";
    }
    if (line.firstChild.textContent === words) return;
    line.firstChild.textContent = words;
    if (spoken) spoken.textContent = words;
  }

  // The page anew, with what has been typed and not sent.
  async function showMore() {
    const typed = [...room.querySelectorAll("input[type=text], input[type=search]")].filter((each) => each.value !== each.defaultValue);
    const focus = document.activeElement.name;
    await go(location.search, { push: false, keep: true });
    for (const { name, value } of typed) {
      const field = room.querySelector(`input[name="${CSS.escape(name)}"]`);
      if (!field) continue;
      field.value = value;
      field.closest("details")?.setAttribute("open", "");
      if (name === focus) field.focus();
      isTouched = true;
    }
  }

  function formAddress(form) {
    const pairs = [...new FormData(form)].filter(([, value]) => value !== "");
    return "?" + new URLSearchParams(pairs).toString();
  }

  async function go(address, { push = true, keep = false } = {}) {
    const turn = ++newest;
    room.setAttribute("aria-busy", "true");
    let html;
    try {
      html = await fetchPage(address);
      if (typeof html !== "string") throw new Error("no page");
    } catch {
      html = '<div class="ah"><main><section class="empty"><h1>The server gave no page</h1>' +
        "<p>Is qa_browser.py still running? Its terminal shows the error. Start it again if it has stopped, then reload this page.</p></section></main></div>";
    }
    if (turn === newest) show(html, { push, keep });
  }

  function show(html, { push = false, keep = false } = {}) {
    const focus = document.activeElement && document.activeElement.name;
    isReplaced = true;
    room.innerHTML = html;
    isReplaced = false;
    room.removeAttribute("aria-busy");
    enhance();
    const shown = page();
    if (push && shown && shown.dataset.address) history.pushState({}, "", shown.dataset.address);
    if (keep && focus) room.querySelector(`[name="${CSS.escape(focus)}"]`)?.focus();
    if (!keep) window.scrollTo(0, 0);
    if (spoken) spoken.textContent = [shown?.dataset.title, room.querySelector(".count")?.textContent].join(" ");
  }

  async function decideGame(button) {
    const { bench, judge, name, place, mark, decide: label } = button.dataset;
    button.closest(".decide").querySelectorAll("button").forEach((each) => (each.disabled = true));
    const trouble = await decide({ bench, judge, name, place, label, mark }).catch(() => "The server does not answer.");
    if (trouble) return alert(trouble);
    const next = new URLSearchParams(page().dataset.address);
    next.delete("at");
    return go("?" + next, { push: false });
  }

  root.addEventListener("click", (event) => {
    const verdict = event.target.closest("button[data-decide]");
    if (verdict && decide) return void decideGame(verdict);
    const link = event.target.closest("a[href]");
    if (!link) return;
    const target = link.getAttribute("href");
    if (target.startsWith("#")) {
      event.preventDefault();
      jump(target.slice(1));
    } else if (fetchPage && target.startsWith("?") && !(event.ctrlKey || event.metaKey || event.shiftKey)) {
      event.preventDefault();
      go(target);
    }
  });

  function jump(id) {
    const place = room.querySelector("#" + CSS.escape(id));
    place?.scrollIntoView({ block: "start" });
    place?.focus({ preventScroll: true });
  }

  if (fetchPage) {
    for (const kind of ["input", "change", "keydown"]) {
      root.addEventListener(kind, (event) => (isTouched ||= event.target.matches("input, select, textarea")));
    }
    root.addEventListener("change", (event) => {
      const form = event.target.closest("form[data-go]");
      if (form && !isReplaced && !("late" in event.target.dataset)) go(formAddress(form), { keep: true });
    });
    root.addEventListener("submit", (event) => {
      event.preventDefault();
      if (event.target.matches("form[data-go]")) go(formAddress(event.target), { keep: true });
    });
    window.addEventListener("popstate", () => go(location.search, { push: false }));
  }

  const KEYS = { ArrowLeft: "[rel=prev]", k: "[rel=prev]", ArrowRight: "[rel=next]", j: "[rel=next]" };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea")) return;
    const scrolls = event.target.scrollWidth > event.target.clientWidth && event.target.matches("pre, .wide");
    if (event.key.startsWith("Arrow") && scrolls) return;
    const own = room.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
    const link = own || (KEYS[event.key] && room.querySelector(`a${KEYS[event.key]}[href]`));
    if (link) {
      event.preventDefault();
      link.click();
    } else if (event.key === "1" || event.key === "2") {
      jump(`game-${event.key}`);
    } else if (event.key === "/" && room.querySelector("input[type=search]")) {
      event.preventDefault();
      room.querySelector("details.more")?.setAttribute("open", "");
      room.querySelector("input[type=search]").focus();
    }
  });

  // Exported pages: a dropdown of files, and a list whose filters live behind the '#' of the address.
  const ROWS = 100; // of a list at once; "Show more" adds as many
  let most = ROWS;

  function filterList(more = false) {
    const form = room.querySelector("form[data-list]");
    if (!form) return;
    const { text, ...exact } = Object.fromEntries(new FormData(form));
    let left = 0;
    if (!more) most = ROWS;
    for (const row of room.querySelectorAll("[data-rows] tr")) {
      const fits = Object.entries(exact).every(([key, value]) => !value || (key === "show" ? row.dataset[key].split(" ").includes(value) : row.dataset[key] === value));
      const stays = fits && row.textContent.toLowerCase().includes(text.toLowerCase());
      left += stays;
      row.hidden = !stays || left > most;
    }
    room.querySelector("[data-more]").hidden = left <= most;
    room.querySelector(".count").textContent = `${left} ${left === 1 ? "game" : "games"}`;
  }

  function readHash() {
    const form = room.querySelector("form[data-list]");
    if (!form) return;
    const wanted = location.hash.slice(1).split("&").map((pair) => [pair.slice(0, pair.indexOf("=")), decodeURIComponent(pair.slice(pair.indexOf("=") + 1))]);
    form.reset();
    for (const [key, value] of wanted) if (form.elements[key]) form.elements[key].value = value === "unreadable" && key !== "show" ? "?" : value;
    filterList();
  }

  if (!fetchPage) {
    root.addEventListener("change", (event) => {
      if (event.target.matches("select[data-files]")) location.href = event.target.value;
      filterList();
    });
    root.addEventListener("input", () => filterList());
    root.addEventListener("click", (event) => {
      if (!event.target.closest("[data-more]")) return;
      most += ROWS;
      filterList(true);
    });
    window.addEventListener("hashchange", readHash);
    readHash();
  }

  if (fetchPage) go(location.search, { push: false });
  else enhance();
}
