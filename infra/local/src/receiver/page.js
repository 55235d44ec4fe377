// Fetches the page again every second, unless a request is being read.
const reading = () => document.hidden || document.querySelector("details[open]") || String(getSelection());
setInterval(async () => {
  if (reading()) return;
  try {
    const answer = await fetch(location.href);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (!reading()) document.querySelector("main").replaceWith(page.querySelector("main"));
    document.body.classList.remove("stale");
  } catch {
    document.body.classList.add("stale");
  }
}, 1000);
