// A table that is being counted is asked for again by itself; without this script a link does.
const again = document.querySelector("a[data-again]");
if (again) setTimeout(() => location.replace(again.href), 1500);
