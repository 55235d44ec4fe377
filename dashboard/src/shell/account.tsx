import {
  ActionIcon,
  Badge,
  Button,
  Group,
  Menu,
  Popover,
  Stack,
  Text,
  TextInput,
  Tooltip,
  useMantineColorScheme,
} from "@mantine/core";
import { IconDeviceDesktop, IconLogout, IconMoon, IconSun, IconUsers } from "@tabler/icons-react";
import { useState } from "react";
import { useSession } from "../session/session";

/** The tenant that is looked at; a key for all of them chooses another. */
function Tenant() {
  const { caller, toTenant } = useSession();
  const [open, setOpen] = useState(false);
  const [name, setName] = useState(caller.tenant);
  if (!caller.all_tenants) {
    return (
      <Tooltip label="The tenant that your key speaks for">
        <Badge variant="light" color="gray" size="lg" tt="none" radius="sm">
          {caller.tenant}
        </Badge>
      </Tooltip>
    );
  }
  return (
    <Popover opened={open} onChange={setOpen} trapFocus withArrow position="bottom-end">
      <Popover.Target>
        <Button
          variant="default"
          size="xs"
          leftSection={<IconUsers size={14} aria-hidden />}
          onClick={() => setOpen(!open)}
          aria-label={`Tenant ${caller.tenant}: choose another`}
          maw={180}
        >
          {caller.tenant}
        </Button>
      </Popover.Target>
      <Popover.Dropdown>
        <form
          onSubmit={(event) => {
            event.preventDefault();
            setOpen(false);
            toTenant(name.trim() || null);
          }}
        >
          <Stack gap="xs">
            <TextInput
              label="Tenant"
              description="Your key speaks for all of them"
              value={name}
              onChange={(event) => setName(event.currentTarget.value)}
              placeholder="default"
              data-autofocus
            />
            <Button type="submit" size="xs">
              Look at this tenant
            </Button>
          </Stack>
        </form>
      </Popover.Dropdown>
    </Popover>
  );
}

const SCHEMES = [
  { value: "light", label: "Light", icon: IconSun },
  { value: "dark", label: "Dark", icon: IconMoon },
  { value: "auto", label: "As the system", icon: IconDeviceDesktop },
] as const;

function Scheme() {
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const Shown = SCHEMES.find((one) => one.value === colorScheme)?.icon ?? IconDeviceDesktop;
  return (
    <Menu position="bottom-end" withArrow>
      <Menu.Target>
        <ActionIcon variant="default" size={30} aria-label="Light or dark">
          <Shown size={16} />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        {SCHEMES.map(({ value, label, icon: Icon }) => (
          <Menu.Item
            key={value}
            leftSection={<Icon size={16} aria-hidden />}
            onClick={() => setColorScheme(value)}
            fw={colorScheme === value ? 700 : undefined}
          >
            {label}
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  );
}

/** Who looks at the page, at what, and how. */
export function Account() {
  const { signedIn, signOut, caller } = useSession();
  return (
    <Group gap="xs" wrap="nowrap">
      <Tenant />
      <Scheme />
      {signedIn && (
        <Menu position="bottom-end" withArrow>
          <Menu.Target>
            <ActionIcon variant="default" size={30} aria-label="Your key">
              <IconLogout size={16} />
            </ActionIcon>
          </Menu.Target>
          <Menu.Dropdown>
            <Menu.Label>
              <Text size="xs" maw={240} style={{ overflowWrap: "anywhere" }}>
                {caller.actor}, may {caller.scopes.join(", ")}
              </Text>
            </Menu.Label>
            <Menu.Item leftSection={<IconLogout size={16} aria-hidden />} onClick={signOut}>
              Sign out
            </Menu.Item>
          </Menu.Dropdown>
        </Menu>
      )}
    </Group>
  );
}
