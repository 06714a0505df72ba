# Prints the targets (`name: ... ## text`) and the variables (`#= NAME text`) of the makefiles that are given.
/^[a-z][a-z-]*:.*## / {
	split($0, part, /:.*## /)
	targets = targets sprintf("  make %-14s %s\n", part[1], part[2])
}
/^#= / {
	name = $2
	sub(/^#= [^ ]* */, "")
	variables = variables sprintf("  %-19s %s\n", name "=", $0)
}
END {
	printf "Targets\n%s\nVariables\n%s", targets, variables
}
