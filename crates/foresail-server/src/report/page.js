// Draws every chart of the page. Colours come as the names of style variables, so that one figure serves light and dark.
(function () {
  "use strict";
  var dark = window.matchMedia("(prefers-color-scheme: dark)");

  function figureOf(chart) {
    var style = getComputedStyle(document.documentElement);
    var colour = function (name) { return style.getPropertyValue(name).trim(); };
    var text = document.querySelector('script[data-for="' + chart.id + '"]').textContent;
    var figure = JSON.parse(text, function (key, value) {
      var name = typeof value === "string" && /^var\((--[\w-]+)\)$/.exec(value);
      return name ? colour(name[1]) : value;
    });
    var layout = figure.layout;
    layout.paper_bgcolor = layout.plot_bgcolor = "rgba(0,0,0,0)";
    layout.font = { color: colour("--ink"), family: "system-ui, sans-serif", size: 13 };
    layout.hoverlabel = { bgcolor: colour("--card"), bordercolor: colour("--rule"), font: { color: colour("--ink") }, align: "left" };
    [layout.xaxis, layout.yaxis].forEach(function (axis) {
      if (axis) { axis.gridcolor = colour("--grid"); axis.zerolinecolor = axis.linecolor = colour("--rule"); }
    });
    if (layout.polar) {
      layout.polar.bgcolor = "rgba(0,0,0,0)";
      [["radialaxis", layout.polar.radialaxis], ["angularaxis", layout.polar.angularaxis]].forEach(function (pair) {
        layout.polar[pair[0]] = Object.assign(pair[1] || {}, { gridcolor: colour("--grid"), linecolor: colour("--rule") });
      });
    }
    if (chart.clientWidth < 560) { // a narrow screen: the legend takes several lines, so the chart grows by them
      var named = figure.data.filter(function (trace) { return trace.name && trace.showlegend !== false; }).length;
      layout.height += 18 * named;
      layout.margin = Object.assign(layout.margin || {}, { l: 40, r: 8 });
      layout.font.size = 12;
      if (layout.polar) { layout.margin.l = layout.margin.r = 48; }
    }
    figure.config.displayModeBar = false;
    return figure;
  }

  function draw(how) {
    document.querySelectorAll(".chart").forEach(function (chart) {
      var figure = figureOf(chart);
      how(chart, figure.data, figure.layout, figure.config);
    });
  }

  draw(Plotly.newPlot);
  dark.addEventListener("change", function () { draw(Plotly.react); });
})();
