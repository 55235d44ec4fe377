import { TextInput, type TextInputProps } from "@mantine/core";
import dayjs from "dayjs";

/** What the browser's own field for a time reads and says, in the viewer's zone. */
const FORM = "YYYY-MM-DDTHH:mm";

interface Props extends Omit<TextInputProps, "value" | "onChange" | "type"> {
  /** Anything that is a time; null for none. */
  value: string | null;
  onChange: (value: string | null) => void;
}

/** A time to be chosen: the browser's own field, which keyboards, phones and screen readers know. */
export function TimeField({ value, onChange, ...rest }: Props) {
  return (
    <TextInput
      {...rest}
      type="datetime-local"
      value={value ? dayjs(value).format(FORM) : ""}
      onChange={(event) => onChange(event.currentTarget.value || null)}
    />
  );
}
