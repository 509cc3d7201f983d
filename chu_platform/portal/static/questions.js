// Comfort for pages of a question; all of it works without, by the buttons and links of the page.
"use strict";

// A chart as PNG, drawn here from its SVG, beside each link to an SVG.
for (const link of document.querySelectorAll("a[data-chart]")) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "quiet";
  button.textContent = "PNG";
  const what = link.querySelector(".hidden");
  if (what) button.append(what.cloneNode(true));
  link.after(button);
  button.addEventListener("click", async () => {
    const answer = await fetch(link.href);
    const source = await answer.text();
    const [, , width, height] = source.match(/viewBox="([^"]+)"/)[1].split(" ").map(Number);
    const sized = source.replace("<svg ", `<svg width="${width}" height="${height}" `);
    const address = URL.createObjectURL(new Blob([sized], { type: "image/svg+xml" }));
    const image = new Image();
    image.src = address;
    await image.decode();
    const canvas = document.createElement("canvas");
    canvas.width = 2 * width;
    canvas.height = 2 * height;
    const pen = canvas.getContext("2d");
    pen.fillStyle = "#ffffff";
    pen.fillRect(0, 0, canvas.width, canvas.height);
    pen.drawImage(image, 0, 0, canvas.width, canvas.height);
    URL.revokeObjectURL(address);
    const saved = document.createElement("a");
    saved.href = canvas.toDataURL("image/png");
    // The SVG has a name that says what it shows.
    saved.download = answer.headers.get("Content-Disposition").match(/filename="([^"]+)"/)[1].replace(/\.svg$/, ".png");
    saved.click();
  });
}
