// Follows a running scan. Without it the page works too: it is loaded anew by hand.
"use strict";
(() => {
  const live = document.querySelector("[data-scan]");
  if (!live || !window.EventSource) return;
  const bar = document.getElementById("scan-progress");
  const stage = document.getElementById("scan-stage");
  const events = new EventSource("/api/v1/scans/" + encodeURIComponent(live.dataset.scan) + "/events");
  events.addEventListener("progress", (event) => {
    const told = JSON.parse(event.data);
    if (told.total) {
      bar.max = told.total;
      bar.value = told.done;
    } else {
      bar.removeAttribute("value");
    }
    stage.textContent = told.stage + ": " + told.done + (told.total ? " / " + told.total : "");
  });
  events.addEventListener("state", (event) => {
    const told = JSON.parse(event.data);
    if (["queued", "running", "cancelling"].includes(told.state)) return;
    events.close();
    stage.textContent = live.dataset.done;
    location.replace("/");
  });
})();
