import { useData } from "vitepress";
import DefaultTheme from "vitepress/theme";
import { watchPostEffect } from "vue";
import Playground from "./Playground.vue";
import "./style.css";

export default {
  extends: DefaultTheme,
  enhanceApp({ app }) {
    app.component("Playground", Playground);
  },
  setup() {
    const { frontmatter } = useData();
    // The default theme's start page has no main landmark.
    watchPostEffect(() => {
      const content = document.getElementById("VPContent");
      if (frontmatter.value.layout === "home") content?.setAttribute("role", "main");
      else content?.removeAttribute("role");
    });
  },
};
