import { Card, Table, Title } from "@mantine/core";
import type { ReactNode } from "react";

/** Names and what they are, in a card. */
export function Facts(props: { title: string; rows: [string, ReactNode][]; children?: ReactNode }) {
  return (
    <Card withBorder component="section" aria-label={props.title}>
      <Title order={2} size="h5" mb="xs">
        {props.title}
      </Title>
      <Table
        variant="vertical"
        layout="fixed"
        withRowBorders={false}
        verticalSpacing={4}
        horizontalSpacing={0}
      >
        <Table.Tbody>
          {props.rows.map(([name, value]) => (
            <Table.Tr key={name}>
              <Table.Th
                w={130}
                fz="xs"
                c="dimmed"
                fw={600}
                bg="transparent"
                style={{ verticalAlign: "top" }}
              >
                {name}
              </Table.Th>
              <Table.Td fz="sm" style={{ overflowWrap: "anywhere" }}>
                {value}
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
      {props.children}
    </Card>
  );
}
