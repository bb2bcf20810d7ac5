// The rule editor: what the sentence needs beyond the form itself.
(() => {
  // Changing the measure changes what stands around it (unit, yes-or-no), so the sentence is drawn anew.
  document.addEventListener("change", (event) => {
    if (!event.target.matches("[data-structural]")) return;
    const redraw = document.querySelector("#rule-form button[name=action][value='']");
    const form = event.target.form;
    event.stopImmediatePropagation();
    redraw.value = "redraw";
    form.requestSubmit(redraw);
    redraw.value = "";
  }, true);

  // One dialog serves every "Restore" button of the history.
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-restore]");
    if (!button) return;
    document.querySelector("[data-restore-form]").action = button.dataset.restore;
    document.querySelector("[data-restore-title]").textContent = button.dataset.restoreName;
  }, true);
})();
