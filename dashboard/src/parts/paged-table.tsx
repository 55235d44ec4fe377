import { Button, Card, Group, LoadingOverlay, Skeleton, Table, Text } from "@mantine/core";
import type { ReactNode } from "react";
import type { usePages } from "../api/hooks";
import { ErrorState } from "./error-state";

export interface Column<T> {
  /** Its heading; one that is not shown is read to those who do not see. */
  title: string;
  hidden?: boolean;
  cell: (row: T) => ReactNode;
  align?: "left" | "right";
  width?: number | string;
}

interface Props<T> {
  /** What the table holds, for those who do not see it. */
  label: string;
  pages: ReturnType<typeof usePages<T>>;
  columns: Column<T>[];
  id: (row: T) => string;
  /** What is shown instead of no rows at all. */
  empty: ReactNode;
  minWidth?: number;
}

/** A list of the API, a page at a time. */
export function PagedTable<T>({ label, pages, columns, id, empty, minWidth = 640 }: Props<T>) {
  const { rows, error, isPending, isPlaceholderData } = pages;
  if (error) return <ErrorState error={error} retry={() => pages.refetch()} />;
  if (!isPending && rows.length === 0 && !pages.hasNext && !pages.hasPrevious) return empty;
  return (
    <Card withBorder padding={0} pos="relative">
      <LoadingOverlay visible={isPlaceholderData} zIndex={2} overlayProps={{ blur: 1 }} />
      <Table.ScrollContainer
        minWidth={minWidth}
        type="native"
        tabIndex={0}
        aria-label={label}
        role="region"
      >
        <Table highlightOnHover verticalSpacing="xs" aria-label={label} aria-busy={isPending}>
          <Table.Thead>
            <Table.Tr>
              {columns.map((column) => (
                <Table.Th key={column.title} ta={column.align ?? "left"} w={column.width}>
                  {column.hidden ? (
                    <span className="visually-hidden">{column.title}</span>
                  ) : (
                    column.title
                  )}
                </Table.Th>
              ))}
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {isPending
              ? ["a", "b", "c", "d", "e"].map((key) => (
                  <Table.Tr key={key}>
                    <Table.Td colSpan={columns.length}>
                      <Skeleton height={18} />
                    </Table.Td>
                  </Table.Tr>
                ))
              : rows.map((row) => (
                  <Table.Tr key={id(row)}>
                    {columns.map((column) => (
                      <Table.Td key={column.title} ta={column.align ?? "left"}>
                        {column.cell(row)}
                      </Table.Td>
                    ))}
                  </Table.Tr>
                ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
      {rows.length === 0 && !isPending && (
        <Text c="dimmed" size="sm" p="md">
          Nothing on this page{pages.hasNext ? ": what you look for may be on the next one." : "."}
        </Text>
      )}
      {(pages.hasNext || pages.hasPrevious) && (
        <Group justify="space-between" p="sm" component="nav" aria-label={`Pages of ${label}`}>
          <Text size="sm" c="dimmed">
            Page {pages.page}
          </Text>
          <Group gap="xs">
            <Button
              size="xs"
              variant="default"
              disabled={!pages.hasPrevious}
              onClick={pages.toPrevious}
            >
              Previous page
            </Button>
            <Button size="xs" variant="default" disabled={!pages.hasNext} onClick={pages.toNext}>
              Next page
            </Button>
          </Group>
        </Group>
      )}
    </Card>
  );
}
