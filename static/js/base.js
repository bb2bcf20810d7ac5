/* The frame: keys, dialogs, palette, toasts, and what htmx must know.  Pages add to window.kizashi. */
(() => {
  "use strict";
  const $ = (selector, root = document) => root.querySelector(selector);
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
  const isApple = /Mac|iP(hone|ad|od)/.test(navigator.platform);
  const text = (name) => $(`#texts [data-text="${name}"]`)?.textContent ?? name;

  /* ── typing and composition ── */
  // Never act in the middle of a Japanese conversion (WCAG technique SCR41).
  const isComposing = (event) => event.isComposing || event.keyCode === 229;
  const isTyping = (target) =>
    target instanceof Element &&
    (target.isContentEditable || target.matches("textarea, select, input:not([type=radio], [type=checkbox], [type=button], [type=submit])"));
  // Searches wait for the end of a conversion: the half-converted input never reaches htmx.
  document.addEventListener("input", (event) => {
    if (event.isComposing && event.target.closest("[data-ime]")) event.stopImmediatePropagation();
  }, true);
  document.addEventListener("compositionend", (event) => {
    if (event.target.closest("[data-ime]")) setTimeout(() => event.target.dispatchEvent(new Event("input", { bubbles: true })));
  }, true);

  /* ── dialogs and popovers ── */
  function open(dialog) {
    if (typeof dialog === "string") dialog = document.getElementById(dialog);
    if (!dialog || dialog.open) return;
    $$("[popover]:popover-open").forEach((popover) => popover.hidePopover());
    dialog.showModal();
    $("[data-autofocus]", dialog)?.focus();
  }
  function toggle(id, source) {
    const popover = document.getElementById(id);
    popover?.togglePopover({ source: source ?? $(`[popovertarget="${CSS.escape(id)}"]`) });
    if (popover?.matches(":popover-open")) $("[autofocus], [data-autofocus], button, a[href], input, select", popover)?.focus();
  }
  document.addEventListener("click", (event) => {
    const target = event.target.closest?.("[data-open], [data-close], [data-dismiss], [data-print]");
    if (target?.matches("[data-open]")) { event.preventDefault(); open(target.dataset.open); }
    else if (target?.matches("[data-close]")) target.closest("dialog, [popover]")?.[target.closest("dialog") ? "close" : "hidePopover"]();
    else if (target?.matches("[data-dismiss]")) target.closest("[data-toast]")?.remove();
    else if (target?.matches("[data-print]")) window.print();
    else if (event.target.matches?.("dialog[open]")) event.target.close();
  });

  /* ── keys ── */
  const registered = [];
  let waiting = null;
  const names = { arrowdown: "↓", arrowup: "↑", arrowleft: "←", arrowright: "→", enter: "↵", escape: "Esc", mod: isApple ? "⌘" : "Ctrl", shift: "⇧" };
  const shown = (chord) => chord.split(" ").map((stroke) => stroke.split("+").map((part) => names[part] ?? part.toUpperCase()).join(stroke.includes("mod") && !isApple ? "+" : ""));
  function stroke(event) {
    const key = event.key.toLowerCase();
    const plain = key.length === 1 && !/[a-z]/.test(key);
    return (event.metaKey || event.ctrlKey ? "mod+" : "") + (event.shiftKey && !plain ? "shift+" : "") + key;
  }
  /* add({keys: "j" | ["j", "arrowdown"] | "g t" | "shift+x" | "mod+enter", label, run, when, inDialog, hidden}); a function to take it back is returned. */
  function add(entry) {
    const made = { ...entry, keys: [entry.keys].flat().map((chord) => chord.toLowerCase()) };
    registered.push(made);
    return () => registered.splice(registered.indexOf(made), 1);
  }
  const isSingle = (chord) => !chord.includes("mod+");
  const usable = (entry) => !entry.when || entry.when();
  function ofPage() {
    const seen = new Map();
    for (const button of $$("[data-key]")) {
      const key = button.dataset.key.toLowerCase();
      if (seen.has(key) || button.closest("[hidden]")) continue;
      const label = button.dataset.keyLabel ?? button.getAttribute("aria-label") ?? $$("kbd", button).reduce((all, kbd) => all.replace(kbd.textContent, ""), button.textContent).trim();
      seen.set(key, { keys: [key], label, when: () => button.checkVisibility?.() ?? true, run: () => { button.focus(); button.click(); } });
    }
    return [...registered, ...seen.values()];
  }
  document.addEventListener("keydown", (event) => {
    if (isComposing(event) || event.altKey || event.defaultPrevented) return;
    if (["Shift", "Control", "Meta", "Alt"].includes(event.key)) return;
    const pressed = stroke(event);
    const single = isSingle(pressed);
    if (single && (document.documentElement.dataset.keys === "off" || isTyping(event.target))) return;
    const dialog = $("dialog[open]");
    const chord = waiting && Date.now() - waiting.at < 900 ? `${waiting.first} ${pressed}` : pressed;
    const entries = ofPage().filter((entry) => (!dialog || entry.inDialog) && usable(entry));
    const hit = [...entries].reverse().find((entry) => entry.keys.includes(chord));
    waiting = null;
    if (hit) { event.preventDefault(); hit.run(event); return; }
    if (entries.some((entry) => entry.keys.some((known) => known.startsWith(`${pressed} `)))) waiting = { first: pressed, at: Date.now() };
  });
  function listKeys() {
    const list = $("#keys-list");
    if (!list) return;
    list.replaceChildren(...ofPage().filter((entry) => entry.label && !entry.hidden).map((entry) => {
      const row = document.createElement("div"), keys = document.createElement("dt"), label = document.createElement("dd");
      for (const chord of entry.keys) for (const part of shown(chord)) keys.append(Object.assign(document.createElement("kbd"), { textContent: part }));
      label.textContent = entry.label;
      row.append(keys, label);
      return row;
    }));
  }
  function listActions() {
    const list = $("#palette-actions");
    if (!list) return;
    const entries = ofPage().filter((entry) => entry.label && !entry.hidden && !entry.system && usable(entry));
    $("[data-actions]", list.parentElement).hidden = !entries.length;
    list.replaceChildren(...entries.map((entry) => {
      const item = document.createElement("li"), link = document.createElement("a"), label = document.createElement("b"), keys = document.createElement("kbd");
      link.href = "#";
      label.textContent = entry.label;
      keys.textContent = shown(entry.keys[0]).join(" ");
      link.append(Object.assign(document.createElement("span"), { textContent: "›" }), label, document.createElement("span"), keys);
      link.addEventListener("click", (event) => { event.preventDefault(); $("#palette").close(); entry.run(event); });
      item.append(link);
      return item;
    }));
  }
  add({ keys: "mod+k", label: text("key_palette"), system: true, when: () => $("#palette"), run: () => { listActions(); open("palette"); } });
  add({ keys: "?", label: text("key_list"), system: true, when: () => $("#keys"), run: () => { listKeys(); open("keys"); } });
  add({ keys: "g t", label: text("key_triage"), system: true, when: () => $('.nav a[href="/triage/"]'), run: () => { location.href = "/triage/"; } });
  add({ keys: "g m", label: text("key_metrics"), system: true, when: () => $('.nav a[href="/metrics/"]'), run: () => { location.href = "/metrics/"; } });
  document.addEventListener("click", (event) => {
    const opener = event.target.closest?.("[data-open]");
    if (opener?.dataset.open === "keys") listKeys();
    if (opener?.dataset.open === "palette") listActions();
  }, true);
  document.addEventListener("change", (event) => {
    if (event.target.id === "single-keys") document.documentElement.dataset.keys = event.target.checked ? "on" : "off";
  });

  /* ── palette ── */
  const links = () => $$("#palette .pal a").filter((link) => link.checkVisibility?.() ?? true);
  $("#palette")?.addEventListener("keydown", (event) => {
    if (isComposing(event)) return;
    const all = links(), at = all.indexOf(document.activeElement);
    if (event.key === "ArrowDown") { event.preventDefault(); all[Math.min(at + 1, all.length - 1)]?.focus(); }
    else if (event.key === "ArrowUp") { event.preventDefault(); (at <= 0 ? $("#palette-q") : all[at - 1])?.focus(); }
    else if (event.key === "Enter" && event.target.id === "palette-q") { event.preventDefault(); all[0]?.click(); }
    else if (at >= 0 && event.key.length === 1 && !event.metaKey && !event.ctrlKey) $("#palette-q").focus();
  });
  // What is typed narrows the actions and pages too.
  $("#palette-q")?.addEventListener("input", (event) => {
    const wanted = event.target.value.trim().toLowerCase();
    for (const item of $$("#palette-actions li, #palette-pages li")) item.hidden = !!wanted && !item.textContent.toLowerCase().includes(wanted);
    for (const list of $$("#palette-actions, #palette-pages")) list.previousElementSibling.hidden = !$$("li:not([hidden])", list).length;
    if (!wanted) $("#palette-found").replaceChildren();
  });

  /* ── toasts ── */
  function watch(toast) {
    if (toast.dataset.watched) return;
    toast.dataset.watched = "yes";
    let left = 10000, since = Date.now(), timer = setTimeout(() => toast.remove(), left);
    const pause = () => { clearTimeout(timer); left -= Date.now() - since; };
    const resume = () => { since = Date.now(); timer = setTimeout(() => toast.remove(), Math.max(left, 1000)); };
    toast.addEventListener("mouseenter", pause);
    toast.addEventListener("mouseleave", resume);
    toast.addEventListener("focusin", pause);
    toast.addEventListener("focusout", resume);
  }
  function toast(message, { bad = false, link = null, label = "" } = {}) {
    const made = document.createElement("div");
    made.className = bad ? "toast bad" : "toast";
    made.dataset.toast = "";
    made.append(Object.assign(document.createElement("span"), { textContent: message }));
    if (link) made.append(Object.assign(document.createElement("a"), { href: link, target: "_blank", rel: "noopener", textContent: label, className: "btn sm" }));
    made.append(Object.assign(document.createElement("button"), { type: "button", textContent: text("close") }));
    made.lastChild.dataset.dismiss = "";
    $("#toasts").replaceChildren(made);
    watch(made);
    return made;
  }
  new MutationObserver(() => $$("#toasts [data-toast]").forEach(watch)).observe($("#toasts"), { childList: true, subtree: true });
  $$("#toasts [data-toast]").forEach(watch);

  /* ── htmx ── */
  function token() {
    const kept = document.cookie.split("; ").find((part) => part.startsWith("csrftoken="));
    return kept ? decodeURIComponent(kept.slice(10)) : $('meta[name="csrf-token"]')?.content ?? "";
  }
  document.addEventListener("htmx:configRequest", (event) => {
    if (event.detail.verb === "get") return;
    event.detail.headers["X-CSRFToken"] = token();
    // After a new log-in in another tab the token in an old form is stale, the cookie is not.
    if ("csrfmiddlewaretoken" in event.detail.parameters) event.detail.parameters.csrfmiddlewaretoken = token();
  });
  document.addEventListener("htmx:sendError", () => toast(text("offline"), { bad: true }));
  document.addEventListener("htmx:timeout", () => toast(text("offline"), { bad: true }));
  document.addEventListener("htmx:responseError", (event) => {
    const status = event.detail.xhr.status;
    if (status === 401) toast(text("logged_out"), { bad: true, link: "/auth/login/", label: text("log_in") });
    else toast(text({ 403: "forbidden", 404: "missing" }[status] ?? "failed"), { bad: true });
  });

  /* ── small things ── */
  // The address may have changed without a load: the language switch returns to where the reader is.
  document.addEventListener("submit", (event) => {
    if (event.target.matches("[data-here]")) event.target.elements.next.value = location.pathname + location.search;
  }, true);
  for (const kbd of $$("kbd[data-mod]")) kbd.textContent = isApple ? "⌘K" : "Ctrl K";
  async function copy(words) {
    await navigator.clipboard.writeText(words);
  }

  window.kizashi = { keys: { add, list: ofPage }, open, toggle, toast, text, copy, isComposing, isTyping };
  document.dispatchEvent(new CustomEvent("kizashi:ready"));
})();
