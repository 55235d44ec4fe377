import { AppShell, Burger, Group, Image, NavLink, ScrollArea, Text } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { type ReactNode, useEffect, useRef } from "react";
import { Link, useLocation } from "wouter";
import { useSession } from "../session/session";
import { Account } from "./account";
import { PLACES } from "./navigation";

/** What stands around every page. */
export function Shell({ children }: { children: ReactNode }) {
  const [open, { toggle, close }] = useDisclosure(false);
  const [location] = useLocation();
  const { may, deployment } = useSession();
  const main = useRef<HTMLElement>(null);
  const first = useRef(location);
  // Whoever goes to another page by keyboard goes on from its beginning.
  useEffect(() => {
    if (first.current === location) return;
    first.current = location;
    close();
    main.current?.focus({ preventScroll: true });
    window.scrollTo(0, 0);
  }, [location, close]);
  const isAt = (path: string) =>
    path === "/" ? location === "/" : location === path || location.startsWith(`${path}/`);
  return (
    <>
      <a className="skip-link" href="#main">
        Skip to the page
      </a>
      <AppShell
        header={{ height: 56 }}
        navbar={{ width: 220, breakpoint: "sm", collapsed: { mobile: !open } }}
        padding="md"
      >
        <AppShell.Header>
          <Group h="100%" px="md" justify="space-between" wrap="nowrap" gap="xs">
            <Group gap="xs" wrap="nowrap">
              <Burger
                opened={open}
                onClick={toggle}
                hiddenFrom="sm"
                size="sm"
                aria-label={open ? "Close navigation" : "Open navigation"}
                aria-expanded={open}
              />
              <Image src="/dashboard/icon.svg" w={28} h={28} alt="" />
              <Text fw={700} size="lg" visibleFrom="xs">
                Hookpost
              </Text>
            </Group>
            <Account />
          </Group>
        </AppShell.Header>
        <AppShell.Navbar p="xs" aria-label="Pages">
          <AppShell.Section grow component={ScrollArea}>
            {PLACES.map(({ path, label, icon: Icon, scope }) => (
              <NavLink
                key={path}
                component={Link}
                href={path}
                label={label}
                description={may(scope) ? undefined : `Needs the scope ${scope}`}
                leftSection={<Icon size={18} stroke={1.6} aria-hidden />}
                active={isAt(path)}
                aria-current={isAt(path) ? "page" : undefined}
                onClick={close}
                style={{ borderRadius: "var(--mantine-radius-md)" }}
              />
            ))}
          </AppShell.Section>
          <AppShell.Section pt="xs" px="xs">
            <Text size="xs" c="dimmed">
              Version {deployment.version} ·{" "}
              <a href="/docs" style={{ color: "inherit" }}>
                API
              </a>
            </Text>
          </AppShell.Section>
        </AppShell.Navbar>
        <AppShell.Main id="main" ref={main} tabIndex={-1}>
          {children}
        </AppShell.Main>
      </AppShell>
    </>
  );
}
