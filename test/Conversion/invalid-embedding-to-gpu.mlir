// RUN: embedding-opt %s -convert-embedding-to-gpu=row-alignment=12 -split-input-file -verify-diagnostics

// expected-error @below {{expected row-alignment to be 0 or a power of two, but got 12}}
module {
}
