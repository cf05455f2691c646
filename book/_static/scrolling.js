/* What scrolls sideways inside its own box (long formulas, wide tables and plots) can be reached and moved by keyboard. */
"use strict";

(() => {
  const BOXES = "mjx-container[display='true'], div.math, .pst-scrollable-table-container, .cell_output .output, "
    + "figure > a.image-reference, figure > p, pre, .scarce-slider-table";

  function mark() {
    for (const box of document.querySelectorAll(BOXES)) {
      const scrolls = ["auto", "scroll"].includes(getComputedStyle(box).overflowX) && box.scrollWidth > box.clientWidth;
      if (scrolls && box.tabIndex < 0) box.tabIndex = 0;
    }
  }

  async function start() {
    await window.MathJax?.startup?.promise;
    mark();
    window.addEventListener("resize", mark);
    document.addEventListener("toggle", mark, true); // opened code
  }

  if (document.readyState === "complete") start();
  else window.addEventListener("load", start);
})();
