// Tells the page around this frame how high it is, so that the frame need not scroll: whenever it
// changes, and whenever it is asked, since the other page may begin to listen late. It tells nobody
// but the origins that the server lists, in the page's data-parents.

const parents = document.documentElement.dataset.parents.split(" ").filter(Boolean);
// Where the browser says who is around, the others are not called in vain.
const around = location.ancestorOrigins?.[0];

function tell() {
  const height = Math.ceil(document.body.getBoundingClientRect().height);
  for (const origin of parents)
    if (!around || around === origin)
      parent.postMessage({ type: "on-record:height", v: 1, height }, origin);
}

if (parent !== window && parents.length) {
  new ResizeObserver(tell).observe(document.body);
  addEventListener("message", ({ origin, data }) => {
    if (parents.includes(origin) && data?.type === "on-record:height") tell();
  });
}
