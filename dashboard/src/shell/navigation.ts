import {
  IconActivity,
  IconBook2,
  IconBroadcast,
  IconHistory,
  IconKey,
  IconMailX,
  IconPlugConnected,
  IconSend,
  IconSettings,
  IconStack2,
} from "@tabler/icons-react";
import { type ComponentType, lazy } from "react";
import type { Scope } from "../api/types";

interface Place {
  path: string;
  label: string;
  icon: typeof IconActivity;
  scope: Scope;
  page: ComponentType;
}

/** The pages, in the order of the navigation. A page finds its own sub-pages below its path. */
export const PLACES: Place[] = [
  {
    path: "/",
    label: "Overview",
    icon: IconActivity,
    scope: "read",
    page: lazy(() => import("../pages/overview")),
  },
  {
    path: "/live",
    label: "Live",
    icon: IconBroadcast,
    scope: "read",
    page: lazy(() => import("../pages/live")),
  },
  {
    path: "/endpoints",
    label: "Endpoints",
    icon: IconPlugConnected,
    scope: "read",
    page: lazy(() => import("../pages/endpoints")),
  },
  {
    path: "/deliveries",
    label: "Deliveries",
    icon: IconSend,
    scope: "read",
    page: lazy(() => import("../pages/deliveries")),
  },
  {
    path: "/events",
    label: "Events",
    icon: IconStack2,
    scope: "read",
    page: lazy(() => import("../pages/events")),
  },
  {
    path: "/dead-letters",
    label: "Dead letters",
    icon: IconMailX,
    scope: "read",
    page: lazy(() => import("../pages/dead-letters")),
  },
  {
    path: "/event-types",
    label: "Event types",
    icon: IconBook2,
    scope: "read",
    page: lazy(() => import("../pages/event-types")),
  },
  {
    path: "/api-keys",
    label: "API keys",
    icon: IconKey,
    scope: "admin",
    page: lazy(() => import("../pages/api-keys")),
  },
  {
    path: "/audit",
    label: "Audit",
    icon: IconHistory,
    scope: "admin",
    page: lazy(() => import("../pages/audit")),
  },
  {
    path: "/settings",
    label: "Settings",
    icon: IconSettings,
    scope: "read",
    page: lazy(() => import("../pages/settings")),
  },
];
