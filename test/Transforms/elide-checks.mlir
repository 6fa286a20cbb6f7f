// RUN: embedding-opt %s --embedding-elide-checks | FileCheck %s

// CHECK-LABEL: func @remainder
func.func @remainder(%table: tensor<1000x64xf32>, %ids: tensor<16xi64>,
                     %init: tensor<16x64xf32>) -> tensor<16x64xf32> {
  // CHECK: embedding.lookup out_of_range(assume)
  %c1000 = arith.constant dense<1000> : tensor<16xi64>
  %hashed = arith.remui %ids, %c1000 : tensor<16xi64>
  %0 = embedding.lookup ins(%table, %hashed : tensor<1000x64xf32>, tensor<16xi64>)
         outs(%init : tensor<16x64xf32>) -> tensor<16x64xf32>
  return %0 : tensor<16x64xf32>
}

// One row too few.
// CHECK-LABEL: func @remainder_too_large
func.func @remainder_too_large(%table: tensor<999x64xf32>, %ids: tensor<16xi64>,
                               %init: tensor<16x64xf32>) -> tensor<16x64xf32> {
  // CHECK: embedding.lookup ins
  %c1000 = arith.constant dense<1000> : tensor<16xi64>
  %hashed = arith.remui %ids, %c1000 : tensor<16xi64>
  %0 = embedding.lookup ins(%table, %hashed : tensor<999x64xf32>, tensor<16xi64>)
         outs(%init : tensor<16x64xf32>) -> tensor<16x64xf32>
  return %0 : tensor<16x64xf32>
}

// A signed remainder may be negative.
// CHECK-LABEL: func @signed_remainder
func.func @signed_remainder(%table: tensor<1000x64xf32>, %ids: tensor<16xi64>,
                            %init: tensor<16x64xf32>) -> tensor<16x64xf32> {
  // CHECK: embedding.lookup ins
  %c1000 = arith.constant dense<1000> : tensor<16xi64>
  %hashed = arith.remsi %ids, %c1000 : tensor<16xi64>
  %0 = embedding.lookup ins(%table, %hashed : tensor<1000x64xf32>, tensor<16xi64>)
         outs(%init : tensor<16x64xf32>) -> tensor<16x64xf32>
  return %0 : tensor<16x64xf32>
}

// CHECK-LABEL: func @mask_and_shift
func.func @mask_and_shift(%table: tensor<256x64xf32>, %ids: tensor<16xi32>,
                          %init: tensor<16x64xf32>) -> tensor<16x64xf32> {
  // CHECK: embedding.lookup out_of_range(assume)
  %mask = arith.constant dense<127> : tensor<16xi32>
  %one = arith.constant dense<1> : tensor<16xi32>
  %0 = arith.andi %ids, %mask : tensor<16xi32>
  %1 = arith.shli %0, %one : tensor<16xi32>
  %2 = embedding.lookup out_of_range(zero)
         ins(%table, %1 : tensor<256x64xf32>, tensor<16xi32>)
         outs(%init : tensor<16x64xf32>) -> tensor<16x64xf32>
  return %2 : tensor<16x64xf32>
}

// CHECK-LABEL: func @unknown
func.func @unknown(%dynamic: tensor<?x64xf32>, %table: tensor<10x64xf32>,
                   %ids: tensor<16xi32>, %init: tensor<16x64xf32>)
    -> (tensor<16x64xf32>, tensor<16x64xf32>) {
  // CHECK-NOT: assume
  %zero = arith.constant dense<0> : tensor<16xi32>
  %0 = embedding.lookup ins(%table, %ids : tensor<10x64xf32>, tensor<16xi32>)
         outs(%init : tensor<16x64xf32>) -> tensor<16x64xf32>
  %1 = embedding.lookup ins(%dynamic, %zero : tensor<?x64xf32>, tensor<16xi32>)
         outs(%init : tensor<16x64xf32>) -> tensor<16x64xf32>
  return %0, %1 : tensor<16x64xf32>, tensor<16x64xf32>
}

// The number of rows may be an operand.
// CHECK-LABEL: func @group
func.func @group(%ids: tensor<2xi64>, %r: tensor<2xi64>, %o: tensor<3xi64>,
                 %p: tensor<2xi64>, %c: tensor<i64>) -> tensor<2xi64> {
  // CHECK: %[[SEVEN:.*]] = arith.constant 7 : index
  %c7 = arith.constant 7 : index
  %seven = arith.constant dense<7> : tensor<2xi64>
  %i = arith.remui %ids, %seven : tensor<2xi64>
  // CHECK: embedding.group num_rows(%[[SEVEN]]) out_of_range(assume)
  %0:4 = embedding.group num_rows(%c7) ins(%i : tensor<2xi64>)
           outs(%r, %o, %p, %c : tensor<2xi64>, tensor<3xi64>, tensor<2xi64>, tensor<i64>)
           -> tensor<2xi64>, tensor<3xi64>, tensor<2xi64>, tensor<i64>
  return %0#0 : tensor<2xi64>
}
