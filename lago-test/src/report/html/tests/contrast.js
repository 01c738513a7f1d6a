// The texts of the page whose contrast with what is behind them is below 4.5 to 1 (WCAG 2.2, success criterion 1.4.3).
(() => {
  const channels = (color) => {
    const [r, g, b, a = 1] = color.match(/[\d.]+/g).map(Number);
    return { r, g, b, a };
  };
  const luminance = ({ r, g, b }) => {
    const [x, y, z] = [r, g, b].map((value) => {
      const share = value / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const contrast = (one, other) => {
    const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (light + 0.05) / (dark + 0.05);
  };
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = channels(getComputedStyle(at).backgroundColor);
      if (color.a > 0) return color;
    }
    throw new Error("the page has no background");
  };
  const bad = [];
  let seen = 0;
  const judge = (element, color, ground) => {
    seen += 1;
    const value = contrast(channels(color), ground);
    if (value < 4.5) bad.push(`${element.textContent.trim().slice(0, 40)}: ${value.toFixed(2)}`);
  };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    const isText = texts.currentNode.data.trim() !== "" && !element.closest("script, style, title");
    if (!isText || !element.checkVisibility()) continue;
    const style = getComputedStyle(element);
    if (element instanceof SVGElement) {
      const bar = element.parentElement.querySelector(":scope > rect");
      const ground = bar ? channels(getComputedStyle(bar).fill) : behind(element.closest("div"));
      judge(element, style.fill, ground);
    } else {
      judge(element, style.color, behind(element));
    }
  }
  return { bad, seen };
})()
