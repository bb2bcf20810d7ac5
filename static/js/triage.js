/* Triage: selection, keys, the outcome form and its draft, bulk, live news.  What is on the server comes by htmx. */
(() => {
  "use strict";
  const $ = (selector, root = document) => root.querySelector(selector);
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
  const { keys, text, toast, toggle, open, copy } = window.kizashi;
  const body = document.body;
  const isApple = /Mac|iP(hone|ad|od)/.test(navigator.platform);
  const isNarrow = () => matchMedia("(max-width: 699px)").matches;
  const form = () => $("[data-outcome-form]");

  /* ── rows ── */
  const rows = () => $$("#rows .qc:not([hidden], .leaving), .qc.done").filter((row) => row.checkVisibility?.() ?? true);
  const selected = () => $(".qc.sel");
  function mark(row) {
    $$(".qc.sel").forEach((old) => { old.classList.remove("sel"); $(".qa", old)?.removeAttribute("aria-current"); });
    if (!row) return;
    row.classList.add("sel");
    $(".qa", row)?.setAttribute("aria-current", "true");
    row.scrollIntoView({ block: "nearest" });
  }
  let opening = 0;
  function move(step) {
    const all = rows();
    if (!all.length) return;
    const at = all.indexOf(selected());
    const next = all[Math.max(0, Math.min(all.length - 1, at < 0 ? 0 : at + step))];
    if (next === selected()) return;
    mark(next);
    $(".qa", next).focus({ preventScroll: true });
    // A key held down passes many rows: only the one it stops on is asked for.
    clearTimeout(opening);
    opening = setTimeout(() => $(".qa", next).click(), 60);
  }
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.(".qa");
    if (link) { clearTimeout(opening); mark(link.closest(".qc")); body.dataset.view = "detail"; }
    if (event.target.closest?.("[data-back]") && isNarrow()) {
      event.preventDefault();
      body.dataset.view = "list";
      ($(".qc.sel .qa") ?? $(".qa"))?.focus();
    }
    if (event.target.closest?.("[data-clear]")) { boxes().forEach((box) => { box.checked = false; }); ticks(); }
  });
  /* Rows that came back or moved stand where their priority puts them; nobody stands there twice. */
  function place(row) {
    const list = row.parentElement;
    const rank = (one) => [-Number(one.dataset.priority), Number(one.dataset.id)];
    const [priority, id] = rank(row);
    const below = [...list.children].find((one) => one !== row && one.dataset.id && (rank(one)[0] > priority || (rank(one)[0] === priority && rank(one)[1] > id)));
    if (below) list.insertBefore(row, below);
  }
  function tidy() {
    for (const section of $$("#rows .gsec")) section.hidden = !$(".qc", section);
    const seen = new Set();
    for (const row of $$("#rows .qc")) {
      if (seen.has(row.id)) row.remove();
      seen.add(row.id);
    }
    // Pages that were fetched later go under the heads of the first.
    for (const more of $$("#rows [data-more-of]")) {
      const list = document.getElementById(`list-${more.dataset.moreOf}`);
      if (list) { list.append(...$$(".qc", more)); list.closest(".gsec").hidden = false; more.remove(); }
    }
    const nothing = $("#nothing");
    if (nothing && $("#rows .qc")) nothing.remove();
  }

  /* ── ticked rows ── */
  const boxes = () => $$('.ck input[type="checkbox"]');
  let lastTicked = null;
  function ticks() {
    const on = boxes().filter((box) => box.checked);
    boxes().forEach((box) => box.closest(".qc").classList.toggle("ticked", box.checked));
    const bar = $("[data-bulk]");
    if (!bar) return;
    bar.hidden = !on.length;
    $("[data-n]", bar).textContent = on.length;
  }
  function tick(row, upTo) {
    const box = row && $(".ck input", row);
    if (!box) return;
    if (upTo && lastTicked?.isConnected) {
      const all = rows(), from = all.indexOf(lastTicked), to = all.indexOf(row);
      all.slice(Math.min(from, to), Math.max(from, to) + 1).forEach((one) => { const found = $(".ck input", one); if (found) found.checked = true; });
    } else box.checked = !box.checked;
    lastTicked = row;
    ticks();
  }
  let shifted = false;
  document.addEventListener("click", (event) => { shifted = event.shiftKey; }, true);
  document.addEventListener("change", (event) => {
    if (!event.target.matches?.(".ck input")) return;
    const row = event.target.closest(".qc");
    if (shifted && lastTicked) { event.target.checked = false; tick(row, true); }
    lastTicked = row;
    ticks();
  });
  const isTicked = () => boxes().some((box) => box.checked);

  /* ── search in the loaded rows ── */
  document.addEventListener("input", (event) => {
    if (!event.target.matches?.("[data-find]")) return;
    const wanted = event.target.value.trim().toLowerCase();
    for (const row of $$("#rows .qc")) row.hidden = !!wanted && !$(".l1 b", row).textContent.toLowerCase().includes(wanted);
    for (const section of $$("#rows .gsec")) section.hidden = !$(".qc:not([hidden])", section);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && event.target.matches?.("[data-find]")) {
      event.target.value = "";
      event.target.dispatchEvent(new Event("input", { bubbles: true }));
      ($(".qc.sel .qa") ?? $(".qa"))?.focus();
    }
  });

  /* ── the outcome form ── */
  const chosen = (name, root = form()) => $(`input[name="${name}"]:checked`, root);
  const label = (input) => $("span:not(.vh)", input.closest("label"))?.textContent.trim() ?? "";
  const defaults = () => JSON.parse(form().dataset.defaults);
  function check(name, value) {
    const input = $(`input[name="${name}"][value="${CSS.escape(value)}"]`, form());
    if (input) input.checked = true;
    return !!input;
  }
  /* A result brings its amount and dates along; what the person has changed by hand stays. */
  function fill(result) {
    const f = form(), given = defaults()[result];
    if (!given) return;
    if (!f.dataset.amountTouched) $("#oa", f).value = given.amount;
    if (!f.dataset.whenTouched && given.next_on && !check("when", given.next_on)) { check("when", "other"); f.elements.when_other.value = given.next_on; }
    if (!f.dataset.againTouched && given.quiet_until && !check("again", given.quiet_until)) { check("again", "other"); f.elements.again_other.value = given.quiet_until; }
    const reason = chosen("reason");
    if (reason && reason.dataset.for !== result) reason.checked = false;
  }
  function summarise() {
    const f = form();
    if (!f) return;
    const result = chosen("result");
    const button = $(".save", f);
    if (!result) { button.setAttribute("aria-disabled", "true"); return; }
    button.removeAttribute("aria-disabled");
    const value = result.value, refuses = value === "declined" || value === "not_a_fit";
    const day = (name) => {
      const input = chosen(name);
      if (!input) return "";
      return input.value === "other" ? f.elements[`${name}_other`].value.replaceAll("-", "/") : input.dataset.words;
    };
    const amount = $("#oa", f).value.trim(), step = chosen(`next_step_${value}`);
    const parts = refuses
      ? [chosen("reason") && label(chosen("reason")), day("again")]
      : [value !== "no_reply" && amount && $(".suf.pre > span", f).textContent + amount, step && label(step), day("when")];
    $("[data-sum]", f).textContent = [label(result), ...parts].filter(Boolean).join(" · ");
  }
  document.addEventListener("change", (event) => {
    const f = event.target.closest?.("[data-outcome-form]");
    if (!f) return;
    const name = event.target.name;
    if (name === "result") fill(event.target.value);
    if (name === "when" || name === "when_other") f.dataset.whenTouched = "yes";
    if (name === "again" || name === "again_other") f.dataset.againTouched = "yes";
    if (name === "when_other" && event.target.value) check("when", "other");
    if (name === "again_other" && event.target.value) check("again", "other");
    if ((name === "when" || name === "again") && event.target.value === "other") { const day = f.elements[`${name}_other`]; day.focus(); day.showPicker?.call?.(day); }
    summarise();
    keep();
  });
  document.addEventListener("input", (event) => {
    const f = event.target.closest?.("[data-outcome-form]");
    if (!f) return;
    if (event.target.name === "amount") { f.dataset.amountTouched = "yes"; f.elements.discount_percent.value = ""; }
    summarise();
    keep();
  });

  /* ── the draft: nothing typed is lost, whatever happens to page, session or connection ── */
  const draftKey = (f) => `kizashi:draft:${body.dataset.user}:${f.dataset.alert}`;
  const plainFields = ["result", "reason", "amount", "discount_percent", "when", "when_other", "again", "again_other", "note", "why", "key"];
  function keep() {
    const f = form();
    if (!f || (!chosen("result") && !f.elements.note.value)) return;
    const data = {};
    for (const [name, value] of new FormData(f)) if (plainFields.includes(name) || name.startsWith("next_step_")) data[name] = value;
    try { localStorage.setItem(draftKey(f), JSON.stringify({ at: Date.now(), data })); } catch { /* a full or closed store only loses the draft */ }
  }
  function drop(alert) {
    try { localStorage.removeItem(`kizashi:draft:${body.dataset.user}:${alert}`); } catch { /* nothing to drop */ }
  }
  function bringBack() {
    const f = form();
    if (!f || chosen("result") || $(".conflict", f)) return;
    let kept = null;
    try { kept = JSON.parse(localStorage.getItem(draftKey(f)) ?? "null"); } catch { kept = null; }
    if (!kept || Date.now() - kept.at > 7 * 864e5) return;
    for (const [name, value] of Object.entries(kept.data)) {
      const input = $(`[name="${CSS.escape(name)}"]`, f);
      if (input?.type === "radio") check(name, value);
      else if (input) input.value = value;
    }
    f.dataset.amountTouched = f.dataset.whenTouched = f.dataset.againTouched = "yes";
    $("[data-outcome]").open = true;
    summarise();
    toast(text("draft"));
  }

  /* ── saving ── */
  let saving = 0;
  document.addEventListener("htmx:beforeRequest", (event) => {
    const f = event.detail.elt;
    if (!f.matches?.("[data-outcome-form]")) return;
    if (!chosen("result", f)) {
      event.preventDefault();
      $('input[name="result"]', f).focus();
      return;
    }
    keep();
    saving = setTimeout(() => { $("[data-save-label]", f).textContent = text("saving"); }, 150);
    selected()?.classList.add("leaving");
  });
  function stayed() {
    clearTimeout(saving);
    $$(".qc.leaving").forEach((row) => row.classList.remove("leaving"));
    const f = form();
    if (f) $("[data-save-label]", f).textContent = text("key_save");
  }
  document.addEventListener("htmx:afterRequest", (event) => {
    // The form itself may be gone by now; the request remembers it.
    const f = event.detail.requestConfig?.elt;
    if (!f?.matches?.("[data-outcome-form]")) return;
    stayed();
    const status = event.detail.xhr?.status ?? 0;
    if (status >= 200 && status < 300) drop(f.dataset.alert);
    const notice = $("[data-offline]", f);
    if (notice && (status === 0 || status >= 500)) {
      $("[data-offline-text]", notice).textContent = text("not_saved");
      $("[data-offline-more]", notice).textContent = text("not_saved_more");
      $("[data-retry]", notice).textContent = text("retry");
      notice.hidden = false;
    }
  });
  document.addEventListener("click", (event) => { if (event.target.closest?.("[data-drop-draft]") && form()) drop(form().dataset.alert); });
  // Before the answer is swapped in: rows that left the view, and those that come back in another place.
  document.addEventListener("triage:gone", (event) => { for (const id of event.detail.ids ?? []) document.getElementById(`row-${id}`)?.remove(); });
  document.addEventListener("triage:moved", (event) => {
    const id = event.detail.id;
    tidy();
    ticks();
    const row = id ? document.getElementById(`row-${id}`) : null;
    mark(row);
    if (isNarrow()) { $("#ah")?.focus(); return; }
    (row ? $(".qa", row) : $("#ah") ?? $("#detail a, #detail button"))?.focus({ preventScroll: true });
  });
  document.addEventListener("triage:others", (event) => {
    for (const act of event.detail.value ?? []) {
      const row = document.getElementById(`row-${act.id}`);
      if (!row || $(".by-other", row)) continue;
      const told = document.createElement("span");
      told.className = "by-other";
      told.textContent = act.text;
      $(".l2", row)?.after(told);
      row.classList.add("changed");
    }
  });
  document.addEventListener("htmx:oobAfterSwap", (event) => { for (const row of $$(".qc", event.detail.target)) if (event.detail.target.matches(".ql")) place(row); });

  // A newer message may take the place of the one whose undo is under way: the request belongs to the page, not to the message.
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-undo]");
    if (!button) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    button.disabled = true;
    htmx.ajax("POST", button.getAttribute("hx-post") + location.search, { source: "#detail", swap: "none" });
  }, true);

  /* ── quote ── */
  document.addEventListener("input", (event) => {
    const f = event.target.closest?.("[data-quote]");
    if (!f) return;
    if (event.target.matches("[data-range]")) {
      $("[data-discount]", f).value = event.target.value;
      $("[data-discount]", f).dispatchEvent(new Event("input", { bubbles: true }));
    } else if (event.target.matches("[data-discount]")) $("[data-range]", f).value = event.target.value;
  });
  document.addEventListener("click", async (event) => {
    const use = event.target.closest?.("[data-use]");
    if (use && form()) {
      const f = form();
      $("[data-outcome]").open = true;
      if (!chosen("result")) { check("result", "opened"); fill("opened"); }
      $("#oa", f).value = use.dataset.use;
      f.elements.discount_percent.value = use.dataset.useDiscount;
      f.dataset.amountTouched = "yes";
      summarise();
      keep();
      $("#oa", f).focus();
    }
    const copier = event.target.closest?.("[data-copy]");
    if (copier) {
      await copy($("[data-message]", copier.closest(".tpl")).value);
      toast(text("gaps" in copier.dataset ? "copied_gaps" : "copied"));
    }
  });

  /* ── live news, only while somebody looks ── */
  async function news() {
    if (document.visibilityState !== "visible" || !$("#live")) return;
    const query = new URLSearchParams(location.search);
    const live = $("#live");
    query.set("since", live.dataset.since ?? "");
    query.delete("cursor");
    await htmx.ajax("GET", `/triage/delta/?${query}`, { source: live, swap: "none" });
  }
  setInterval(news, 30000);

  /* ── keys ── */
  const isOpen = (id) => document.getElementById(id)?.matches(":popover-open") ?? false;
  const popped = () => $("[popover]:popover-open");
  const add = (chords, name, run, when) => keys.add({ keys: chords, label: name && text(name), run, when, hidden: !name });
  const free = () => !popped();
  const inList = () => free() && (document.activeElement === body || !!document.activeElement?.closest(".qp"));
  add("j", "key_next", () => move(1), free);
  add("k", "key_previous", () => move(-1), free);
  add("arrowdown", "", () => move(1), inList);
  add("arrowup", "", () => move(-1), inList);
  add("x", "key_tick", () => tick(selected(), false), () => free() && selected());
  add("shift+x", "key_tick_to", () => tick(selected(), true), () => free() && selected());
  add("w", "key_why", () => { const button = $(".qc.sel .rk"); if (!isOpen("p-rank")) button?.click(); else toggle("p-rank", button); }, () => $(".qc.sel button.rk"));
  add("h", "key_snooze", () => (isTicked() ? toggle("p-bulk-snooze") : toggle("p-snooze")), () => isTicked() || $("#p-snooze"));
  add("a", "key_assign", () => (isTicked() ? toggle("p-bulk-assign") : toggle("p-assign")), () => isTicked() || $("#p-assign"));
  add("t", "key_handover", () => open("handover"), () => free() && $("#handover"));
  add("r", "key_log", () => {
    $("[data-outcome]").open = true;
    (chosen("result") ?? $('input[name="result"]', form())).focus();
  }, () => free() && form());
  add(["1", "2", "3", "4", "5", "6"], "key_result", (event) => {
    const place = Number(event.key) - 1;
    const menu = popped();
    if (menu) { $$("li button", menu)[place]?.click(); return; }
    const input = $$('input[name="result"]', form())[place] ?? $('input[name="result"]', form());
    $("[data-outcome]").open = true;
    input.focus();
    if (!Number.isInteger(place)) return;
    input.checked = true;
    input.dispatchEvent(new Event("change", { bubbles: true }));
  }, () => (popped() ? popped().matches("#p-snooze, #p-bulk-snooze") : form()));
  add("mod+enter", "key_save", () => form().requestSubmit($(".save", form())), () => form());
  function step(by) {
    const all = $$(".steps details"), at = all.findIndex((one) => one.open), next = all[at + by];
    if (!next) return;
    next.open = true;
    $("summary", next).focus();
  }
  add("]", "key_step_next", () => step(1), () => free() && $(".steps"));
  add("[", "key_step_previous", () => step(-1), () => free() && $(".steps"));
  add("/", "key_search", () => $("[data-find]")?.focus(), () => free() && $("[data-find]"));

  /* ── what a swap brings ── */
  function arrived() {
    for (const kbd of $$("kbd[data-enter]")) kbd.textContent = isApple ? "⌘↵" : "Ctrl ↵";
    if (matchMedia("(max-width: 999px)").matches && form() && !chosen("result")) $("[data-outcome]").open = false;
    summarise();
    bringBack();
  }
  document.addEventListener("htmx:afterSwap", (event) => {
    const id = event.detail.target.id;
    if (id === "detail") {
      $("#detail .escroll")?.scrollTo(0, 0);
      $$("[popover]:popover-open").forEach((one) => one.hidePopover());
      const shown = $("#detail [data-alert]")?.dataset.alert;
      const row = shown && document.getElementById(`row-${shown}`);
      if (row && row !== selected()) mark(row);
      arrived();
    }
    if (id === "queue" || id === "rows" || id === "more") {
      tidy();
      ticks();
      const shown = $("#detail [data-alert]")?.dataset.alert;
      mark(shown && document.getElementById(`row-${shown}`));
    }
    if (id === "outcome" || event.detail.target.matches?.("[data-outcome]")) arrived();
    if (event.detail.target.matches?.("[data-lazy]")) $("[data-autofocus], button", event.detail.target)?.focus();
  });
  document.addEventListener("htmx:beforeSwap", (event) => {
    // The address follows the list as well as the card: the card that is shown stays the one that is shown.
    if (event.detail.target.id === "queue") $$("[popover]:popover-open").forEach((one) => one.hidePopover());
  });
  addEventListener("popstate", () => location.reload());
  tidy();
  arrived();
  if (selected()) selected().scrollIntoView({ block: "nearest" });
})();
