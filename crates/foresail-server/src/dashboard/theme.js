// Runs before the first paint, so that a chosen theme does not flash.
(function () {
  "use strict";
  try {
    var chosen = localStorage.getItem("foresail.theme");
    if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
  } catch (_) { /* storage may be forbidden: the system's theme holds */ }
})();
