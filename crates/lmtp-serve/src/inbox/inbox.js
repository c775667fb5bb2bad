// The list as it is now: with each answer the page is asked for again, and its list put in place of the old one.
const live = document.getElementById('live');
if (live) {
  live.setAttribute('aria-live', 'polite');
  const events = new EventSource('/events');
  let asking = false;
  let again = false;
  const look = async () => {
    if (asking) { again = true; return; }
    asking = true;
    try {
      const response = await fetch(location.href);
      const page = new DOMParser().parseFromString(await response.text(), 'text/html');
      const now = page.getElementById('live');
      if (response.ok && now) live.replaceChildren(...now.childNodes);
    } finally {
      asking = false;
      if (again) { again = false; look(); }
    }
  };
  events.addEventListener('answered', look);
  // What came while the connection was lost.
  let lost = false;
  events.addEventListener('error', () => { lost = true; });
  events.addEventListener('open', () => { if (lost) { lost = false; look(); } });
}
