import { type CSSVariablesResolver, createTheme } from "@mantine/core";

export const theme = createTheme({
  primaryColor: "indigo",
  // Dark enough to be read on white, and white to be read on it.
  primaryShade: { light: 7, dark: 7 },
  defaultRadius: "md",
  autoContrast: true,
  fontFamily:
    "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', 'Noto Sans', sans-serif",
  fontFamilyMonospace: "ui-monospace, 'SF Mono', Menlo, Consolas, 'DejaVu Sans Mono', monospace",
  headings: { fontWeight: "650" },
  cursorType: "pointer",
  components: {
    CloseButton: { defaultProps: { "aria-label": "Close" } },
    // The placeholder has a place in the order of tabs, which no child of a menu may have.
    Menu: { defaultProps: { withInitialFocusPlaceholder: false } },
  },
});

/** Text that steps back still has to be read: 4.5 to 1 and better. */
export const variables: CSSVariablesResolver = () => ({
  variables: {},
  light: {
    // White is read on it.
    "--mantine-color-red-filled": "var(--mantine-color-red-9)",
    "--mantine-color-red-filled-hover": "#b02525",
    "--mantine-color-dimmed": "var(--mantine-color-gray-7)",
    "--mantine-color-placeholder": "var(--mantine-color-gray-7)",
    "--mantine-color-error": "var(--mantine-color-red-9)",
    // On the light ground of badges.
    "--mantine-color-yellow-light-color": "#6b3c00",
    "--mantine-color-orange-light-color": "#7f3a00",
    "--mantine-color-teal-light-color": "#05573f",
    "--mantine-color-red-light-color": "#a51d1d",
    "--mantine-color-blue-light-color": "#0f4c8a",
    "--mantine-color-gray-light-color": "#343a40",
    "--hookpost-ground": "var(--mantine-color-gray-0)",
  },
  dark: {
    "--mantine-color-red-filled": "var(--mantine-color-red-9)",
    "--mantine-color-red-filled-hover": "#b02525",
    "--mantine-color-dimmed": "var(--mantine-color-dark-1)",
    "--mantine-color-placeholder": "var(--mantine-color-dark-1)",
    "--mantine-color-error": "var(--mantine-color-red-4)",
    "--hookpost-ground": "var(--mantine-color-dark-8)",
  },
});
