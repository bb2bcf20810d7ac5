.PHONY: run test lint bench setup sample reset

run:
	./run

test lint bench setup sample reset:
	./run $@
