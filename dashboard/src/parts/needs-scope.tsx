import { Button, type ButtonProps, Tooltip } from "@mantine/core";
import { IconLock } from "@tabler/icons-react";
import type { ComponentPropsWithoutRef, ReactNode } from "react";
import type { Scope } from "../api/types";
import { useSession } from "../session/session";
import { EmptyState } from "./empty-state";
import { PageHeader } from "./page-header";

interface Props extends ButtonProps, Omit<ComponentPropsWithoutRef<"button">, keyof ButtonProps> {
  scope: Scope;
  children: ReactNode;
}

/** A button for what the key may do; where it may not, it says why. */
export function ScopeButton({ scope, children, disabled, onClick, ...rest }: Props) {
  const { may } = useSession();
  if (may(scope)) {
    return (
      <Button {...rest} disabled={disabled} onClick={onClick}>
        {children}
      </Button>
    );
  }
  // Not `disabled`: it has to be reached by keyboard to say why it does nothing.
  return (
    <Tooltip label={`Needs the scope ${scope}`} events={{ hover: true, focus: true, touch: true }}>
      <Button
        {...rest}
        data-disabled
        aria-disabled
        aria-description={`Needs the scope ${scope}`}
        onClick={(event) => event.preventDefault()}
      >
        {children}
      </Button>
    </Tooltip>
  );
}

/** A page, or a part of it, for what the key may see; where it may not, it says why. */
export function RequireScope(props: { scope: Scope; page?: string; children: ReactNode }) {
  const { scope, page, children } = props;
  const { may } = useSession();
  if (may(scope)) return children;
  return (
    <>
      {page && <PageHeader title={page} />}
      <EmptyState title={`Needs the scope ${scope}`} icon={<IconLock size={26} />}>
        The key that you are signed in with may not see this. Sign in with one that has the scope{" "}
        <code>{scope}</code>, or ask an administrator for it.
      </EmptyState>
    </>
  );
}
